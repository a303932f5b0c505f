// traced.mjs — how long the tasks of a page's own thread compute.

/** What Chromium calls a task in its traces, and what tells the page's thread from others there. */
const TASK = "ThreadControllerImpl::RunTask";
const MARK = "the page's thread";

/**
 * Traces the tasks of the page's own thread from now on. Gives a function that ends this and tells the CPU time of each, in ms:
 * unlike their duration, that is the page's own doing on a busy machine, too.
 */
export async function traced(session, page) {
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value.filter(({ name }) => name === MARK || name === TASK)));
  await session.send("Tracing.start", { traceConfig: { includedCategories: ["toplevel", "blink.user_timing"], excludedCategories: ["*"], recordMode: "recordAsMuchAsPossible" }, transferMode: "ReportEvents" });
  await page.evaluate((mark) => performance.mark(mark), MARK);
  return async () => {
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    await complete; // Where the work takes an hour, the browser keeps the first part of it.
    const { pid, tid } = events.find(({ name }) => name === MARK);
    return events.filter((event) => event.name === TASK && event.pid === pid && event.tid === tid && event.tdur !== undefined).map(({ tdur }) => tdur / 1000).toSorted((a, b) => a - b);
  };
}
