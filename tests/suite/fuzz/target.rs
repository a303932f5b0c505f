//! Runs a fuzz target in a process of its own, with limits on memory and time.
//!
//! The process writes each input to a file before it parses it. So the file has the input that failed, whether the process
//! ends by a panic, by a failed allocation, by a stack overflow, or by the watchdog. The process is in a process group of its
//! own, so that the processes that it has started can be ended with it.

use std::env;
use std::fs;
use std::os::unix::process::{CommandExt, parent_id};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;

/// Seconds that each target runs, in place of its fixed number of inputs: `make fuzz` sets it.
const SECONDS: &str = "TSP_MGS_FUZZ_SECONDS";
/// The name of the target that a process is to run itself.
const CHILD: &str = "TSP_MGS_FUZZ_TARGET";
/// The start of the line with the number of inputs.
const COUNT: &str = "fuzz target ";
/// The longest time for one input. Code that is not optimised has more.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 10 });
/// Random bytes for the choices of one input. A change takes at most 15 of them, and an input has at most 16 changes.
const ENTROPY: u64 = 1024;

/// The message of the last panic of this process, or of the first one in sources of this project.
static PANIC: Mutex<String> = Mutex::new(String::new());
/// Whether sources of this project have panicked.
static HAS_OWN_PANIC: AtomicBool = AtomicBool::new(false);

/// A file to parse.
pub struct Input {
    /// The ending of its name, which selects the parser of some targets.
    pub ending: &'static str,
    pub bytes: Vec<u8>,
}

/// A parser under test.
pub struct Target {
    /// The name of its test function in `fuzz`.
    pub name: &'static str,
    /// The number of inputs in a run without [`SECONDS`], for a few seconds on two cores. They are the same in each run.
    pub inputs: u64,
    /// The limit on the address space of the process, in MiB. It is enforced on Linux.
    pub memory_mib: u64,
}

impl Target {
    /// Parses many inputs. `set_up` returns the function that makes an input and the function that parses its file.
    ///
    /// # Panics
    /// If the parser panics, takes longer than [`LIMIT`] or more memory than allowed. The message has the path of the input.
    #[track_caller]
    pub fn run<M, P>(&self, set_up: impl FnOnce() -> (M, P))
    where
        M: FnMut(&mut Unstructured) -> Result<Input>,
        P: FnMut(&Path, &[u8]),
    {
        if env::var_os(CHILD).is_some_and(|name| name == self.name) {
            let (make, parse) = set_up();
            return self.parse_inputs(make, parse);
        }
        let mut command = self.limited(&env::current_exe().expect("a running program has a path"));
        command.args(["--exact", &format!("fuzz::{}", self.name), "--nocapture", "--test-threads=1"]);
        // Each arena of glibc reserves address space.
        command.env(CHILD, self.name).env("MALLOC_ARENA_MAX", "2").process_group(0);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tests run");
        let group = child.id();
        let output = child.wait_with_output().expect("the tests run");
        kill_group(group);
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        let is_passed = output.status.success() && text.contains("1 passed");
        let folder = self.folder();
        assert!(is_passed, "{}; the input is in {}\n{}", output.status, folder.display(), end);
        // The line may follow the name of the test.
        let count = text.lines().find_map(|line| Some(&line[line.find(COUNT)?..]));
        println!("{}", count.expect("a finished target prints its number of inputs"));
    }

    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(self.name)
    }

    /// A command for `program` that cannot take more memory than allowed.
    fn limited(&self, program: &Path) -> Command {
        if cfg!(not(target_os = "linux")) {
            return Command::new(program);
        }
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -v "$0" && exec "$@""#, &(self.memory_mib * 1024).to_string()]).arg(program);
        command
    }

    fn parse_inputs(
        &self,
        mut make: impl FnMut(&mut Unstructured) -> Result<Input>,
        mut parse: impl FnMut(&Path, &[u8]),
    ) {
        let folder = self.folder();
        let _ = fs::remove_dir_all(&folder); // there is none before the first run
        fs::create_dir_all(&folder).expect("a folder");
        // Panics of libraries that the program catches are not printed: some parsers have thousands of them. The compiler gives
        // sources of this project by relative paths, and none of them may panic, also where the program would catch it.
        set_hook(Box::new(|info| {
            let is_own = info.location().is_some_and(|location| Path::new(location.file()).is_relative());
            if !HAS_OWN_PANIC.fetch_or(is_own, Ordering::SeqCst) {
                *PANIC.lock().expect("not poisoned") = info.to_string();
            }
        }));
        let watchdog = Watchdog::start();
        let seconds: Option<u64> = env::var(SECONDS).ok().map(|text| text.parse().expect("a number of seconds"));
        // A long run continues at another place each time.
        let first =
            seconds.map_or(0, |_| SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() << 16);
        let (began, mut count, mut last) = (Instant::now(), 0, PathBuf::new());
        while seconds.map_or(count < self.inputs, |seconds| began.elapsed() < Duration::from_secs(seconds)) {
            // Seeds of arbtest: a number that differs for each input, and the number of random bytes.
            let seed = (first + count + 1).wrapping_mul(0x9E37_79B9) << 32 | ENTROPY;
            let property = |u: &mut Unstructured| {
                let Input { ending, bytes } = make(u)?;
                let file = folder.join("input").with_extension(ending);
                if file != last {
                    let _ = fs::remove_file(&last); // there is none before the first input
                    last.clone_from(&file);
                }
                fs::write(&file, &bytes).expect("writing");
                watchdog.watch(|| parse(&file, &bytes));
                assert!(!HAS_OWN_PANIC.load(Ordering::SeqCst), "a panic of this project was caught");
                Ok(())
            };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| arbtest(property).seed(seed).run())) {
                eprintln!("{}", PANIC.lock().expect("not poisoned"));
                resume_unwind(panic);
            }
            count += 1;
        }
        println!("{COUNT}{}: {count} inputs in {:.1} s", self.name, began.elapsed().as_secs_f64());
    }
}

/// Kills a process group. It may be empty already.
fn kill_group(leader: u32) {
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &format!("-{leader}")]).stderr(Stdio::null()).status().expect("kill runs");
}

/// Ends the process group when an input takes too long, or when the process that started it has ended.
struct Watchdog {
    began: Instant,
    /// Milliseconds from `began` to the start of the input that is parsed; 0 between inputs.
    busy_since: AtomicU64,
}

impl Watchdog {
    fn start() -> &'static Self {
        let this: &'static Self = Box::leak(Box::new(Self { began: Instant::now(), busy_since: AtomicU64::new(0) }));
        let parent = parent_id();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(200));
                let since = this.busy_since.load(Ordering::SeqCst);
                let is_late = since > 0 && this.now().saturating_sub(since) > LIMIT.as_millis() as u64;
                if is_late {
                    eprintln!("an input takes longer than {LIMIT:?}");
                }
                if is_late || parent_id() != parent {
                    kill_group(process::id());
                }
            }
        });
        this
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    fn watch(&self, work: impl FnOnce()) {
        self.busy_since.store(self.now(), Ordering::SeqCst);
        work();
        self.busy_since.store(0, Ordering::SeqCst);
    }
}
