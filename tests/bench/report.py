"""The report: rows that compare and rows that show growth, as JSON and as Markdown."""

import json
import statistics
from dataclasses import asdict, dataclass, field

from setting import NotMeasured

LIMITED = "where instructions are named, ours (`--isa`) and PyTorch are kept to them. onnxruntime has no switch for that: more than `portable` is hidden from it if the processor's CPUID can fault, else it takes all that the processor has"


@dataclass
class Row:
    """One path measured in one way: ours and the rivals' samples, seconds a unit of work."""

    path: str
    case: str
    unit: str  # what is shown, such as "images/s"
    threads: int | None = None
    isa: str | None = None  # the instruction set that ours was limited to
    at_least: dict[str, float] = field(default_factory=dict)  # ratio to reach, by a part of the rival's name
    note: str = ""
    compared: list[dict] = field(default_factory=list)  # from `compare.same`
    samples: dict[str, list[float]] = field(default_factory=dict)  # seconds, "ours" first
    busy: dict[str, list[float]] = field(default_factory=dict)  # seconds of processors; not where a browser shares its work out
    not_measured: str | None = None

    def filled(self, fill):
        """The row as `fill` completes it, or with the reason why this machine cannot."""
        try:
            return fill(self)
        except NotMeasured as why:
            return self.left_out(why)

    def timed(self, samples):
        """Takes what `setting.in_turns` gives: pairs of clock and processor, or the clock alone."""
        for name, measured in samples.items():
            pairs = [each if isinstance(each, (tuple, list)) else (each, None) for each in measured]
            self.samples[name] = [clock for clock, _ in pairs]
            if pairs[0][1] is not None:
                self.busy[name] = [busy for _, busy in pairs]
        return self

    def left_out(self, why):
        self.not_measured = str(why)
        return self

    def ratios(self):
        """Ours ÷ each rival's throughput, by the medians."""
        return _ratios(self.samples)

    def busy_ratios(self):
        """The same by the time of processors, which a machine that has other work to do disturbs less."""
        return _ratios(self.busy)


def _ratios(samples):
    own = statistics.median(samples["ours"]) if samples else None
    return {name: statistics.median(times) / own for name, times in samples.items() if name != "ours"}


@dataclass
class Growth:
    """How time and memory grow with one quantity; `points` are `{x, seconds, bytes}`, of which a measure may be absent."""

    path: str
    case: str
    quantity: str
    points: list[dict]
    threads: int | None = None
    note: str = ""


@dataclass
class Size:
    """Bytes of ours and of the rivals', smaller is better."""

    path: str
    case: str
    bytes: dict[str, int]
    at_most: int | None = None
    note: str = ""


def markdown(run):
    parts = [f"Measured {run['date']} on {run['machine']}, {run['form']} form, {run['rounds']} rounds in turns; {', '.join(run['versions'])}."]
    rows = [row for row in run["results"] if isinstance(row, Row)]
    if rows:
        parts.append(_compared(rows))
    parts += [_grown(row) for row in run["results"] if isinstance(row, Growth)]
    sizes = [row for row in run["results"] if isinstance(row, Size)]
    if sizes:
        parts.append(_sizes(sizes))
    parts += [f"**{path} failed**: {why}" for path, why in run["failed"].items()]
    return "\n\n".join(parts) + "\n"


def _compared(rows):
    lines = ["| path | case | instructions | threads | ours | rival | ratio | of processors | at least | results differ by |", "|" + " --- |" * 10]
    for row in rows:
        start = f"| {row.path} | {row.case} | {row.isa or 'all'} | {row.threads or ''} |"
        if row.not_measured:
            lines.append(f"{start} not measured: {row.not_measured} | | | | | |")
            continue
        ours = rate(row.samples["ours"], row.unit)
        for rival, ratio in row.ratios().items():
            target = next((str(least) for name, least in row.at_least.items() if name in rival), "")
            apart = next((_apart(each) for each in row.compared if each["what"] == rival), "; ".join(f"{each['what']}: {_apart(each)}" for each in row.compared))
            busy = f"{row.busy_ratios()[rival]:.2f}" if row.busy else ""
            lines.append(f"{start} {ours} | {rival}: {rate(row.samples[rival], row.unit)} | {ratio:.2f} | {busy} | {target} | {apart} |")
    notes = dict.fromkeys(f"{row.path}: {row.note}" for row in rows if row.note)
    if any(row.isa for row in rows):
        notes[LIMITED] = None
    legend = "Median (slowest to fastest); ratio is ours ÷ rival's throughput, by the clock and by the time of processors."
    return "\n".join(lines) + f"\n\n{legend}\n" + "\n".join(f"- {note}" for note in notes)


def _apart(comparison):
    return f"{comparison['difference']:.1e} (at most {comparison['bound']:g})"


def rate(seconds, unit):
    """Median and spread of what was done in so many seconds a unit; of the seconds themselves where those are the unit."""
    slowest, middle, fastest = max(seconds), statistics.median(seconds), min(seconds)
    if unit == "s":
        return f"{figures(middle)} s ({figures(slowest)} to {figures(fastest)})"
    return f"{figures(1 / middle)} {unit} ({figures(1 / slowest)} to {figures(1 / fastest)})"


def figures(number):
    """Three of them."""
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"


def _grown(row):
    threads = f", {row.threads} thread{'s' * (row.threads > 1)}" if row.threads else ""
    lines = [f"Growth with {row.quantity} ({row.case}{threads}){': ' + row.note if row.note else ''}", ""]
    lines += [f"| {row.quantity} | seconds each | peak memory |", "| --- | --- | --- |"]
    for point in row.points:
        seconds = figures(point["seconds"]) if "seconds" in point else ""
        lines.append(f"| {point['x']} | {seconds} | {megabytes(point['bytes']) if 'bytes' in point else ''} |")
    return "\n".join(lines)


def _sizes(rows):
    lines = ["| size | ours | rival | at most |", "| --- | --- | --- | --- |"]
    for row in rows:
        rivals = "; ".join(f"{name} {megabytes(size)}" for name, size in row.bytes.items() if name != "ours")
        note = f" ({row.note})" if row.note else ""
        lines.append(f"| {row.case}{note} | {megabytes(row.bytes['ours'])} | {rivals} | {megabytes(row.at_most) if row.at_most else ''} |")
    return "\n".join(lines)


def megabytes(count):
    return f"{count / 1e6:.2f} MB" if count < 1e7 else f"{count / 1e6:.0f} MB"


def write(folder, run):
    """Both files; called after each path, so that nothing is lost when a later one ends the run."""
    results = [{"kind": type(row).__name__.lower()} | asdict(row) for row in run["results"]]
    for result, row in zip(results, run["results"]):
        if isinstance(row, Row) and row.samples:
            result |= {"ratios": row.ratios(), "busy_ratios": row.busy_ratios()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("report.json", json.dumps(run | {"results": results}, indent=1)), ("report.md", markdown(run))):
        part = folder / f"{name}.part"
        part.write_text(text + "\n" * (name == "report.json"))
        part.replace(folder / name)
