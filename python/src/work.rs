//! Long work beside Python: on a thread of its own without the GIL, while the caller's thread draws the progress and listens
//! for Ctrl-C.
//!
//! A job that counts is stopped where it counts: the count unwinds it, as any panic would, up to [`run`]. One that counts
//! nothing for a while is left alone, and its result is nobody's.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use fgd::jobs::{Bar, Interrupt, Progress};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::error;

/// How often signals are looked for.
const LOOK: Duration = Duration::from_millis(50);
/// How long interrupted work may take to end before it is left alone.
const GRACE: Duration = Duration::from_millis(700);

/// What work tells of itself.
enum Event {
    Say(String),
    Begin(u64, &'static str, &'static str, u64),
    Advance(u64, u64),
    Set(u64, u64, u64),
    End(u64),
    Done,
}

/// What unwinds interrupted work.
struct Cancelled;

/// How work tells how far it is, and hears that it is to end.
#[derive(Clone)]
pub struct Link {
    events: Sender<Event>,
    cancelled: Arc<AtomicBool>,
    bars: Arc<AtomicU64>,
}

impl Link {
    fn new() -> (Self, Receiver<Event>) {
        let (events, receive) = channel();
        (Self { events, cancelled: Arc::default(), bars: Arc::default() }, receive)
    }

    /// Whether to stop, for jobs that ask.
    pub fn interrupt(&self) -> Interrupt {
        let cancelled = self.cancelled.clone();
        Arc::new(move || cancelled.load(Ordering::Relaxed))
    }

    fn send(&self, event: Event) {
        // Nobody listens to work that was left alone.
        let _ = self.events.send(event);
    }

    fn tell(&self, event: Event) {
        if self.cancelled.load(Ordering::Relaxed) && !thread::panicking() {
            resume_unwind(Box::new(Cancelled));
        }
        self.send(event);
    }
}

impl Progress for Link {
    fn say(&self, line: &str) {
        self.tell(Event::Say(line.to_owned()));
    }

    fn begin(&self, what: &'static str, unit: &'static str, total: u64) -> Box<dyn Bar> {
        let id = self.bars.fetch_add(1, Ordering::Relaxed);
        self.tell(Event::Begin(id, what, unit, total));
        Box::new(Count { id, link: self.clone() })
    }
}

struct Count {
    id: u64,
    link: Link,
}

impl Bar for Count {
    fn advance(&self, count: u64) {
        self.link.tell(Event::Advance(self.id, count));
    }

    fn set(&self, done: u64, total: u64) {
        self.link.tell(Event::Set(self.id, done, total));
    }

    fn say(&self, line: &str) {
        self.link.tell(Event::Say(line.to_owned()));
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.link.send(Event::End(self.id));
    }
}

/// Does `work` beside Python; `listener` is an object with the methods `say`, `begin`, `advance`, `set` and `end`, or nobody.
///
/// # Errors
/// What a signal handler or the listener raises: `KeyboardInterrupt` for Ctrl-C. A panic of the work.
pub fn run<T: Send + 'static>(
    py: Python<'_>,
    listener: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Link) -> T + Send + 'static,
) -> PyResult<T> {
    let (link, mut events) = Link::new();
    let cancelled = link.cancelled.clone();
    let worker = thread::Builder::new().name("pyfgd".into()).spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(link.clone())));
        link.send(Event::Done);
        result
    });
    let worker = worker.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
    if let Err(error) = listen(py, listener, &mut events) {
        cancelled.store(true, Ordering::Relaxed);
        let since = Instant::now();
        py.detach(|| {
            while !worker.is_finished() && since.elapsed() < GRACE {
                thread::sleep(LOOK / 5);
            }
        });
        return Err(error);
    }
    match py.detach(|| worker.join()) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(panic)) | Err(panic) => Err(error::defect(py, &*panic)),
    }
}

/// Hands on what the work tells until it is done.
fn listen(
    py: Python<'_>,
    listener: Option<&Bound<'_, PyAny>>,
    events: &mut Receiver<Event>,
) -> PyResult<()> {
    loop {
        // A receiver may be lent to one thread only.
        let events = &mut *events;
        match py.detach(move || events.recv_timeout(LOOK)) {
            Ok(Event::Done) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(event) => listener.map_or(Ok(()), |listener| tell(listener, event))?,
            Err(RecvTimeoutError::Timeout) => {}
        }
        py.check_signals()?;
    }
}

fn tell(listener: &Bound<'_, PyAny>, event: Event) -> PyResult<()> {
    match event {
        Event::Say(line) => listener.call_method1("say", (line,)),
        Event::Begin(id, what, unit, total) => {
            listener.call_method1("begin", (id, what, unit, total))
        }
        Event::Advance(id, count) => listener.call_method1("advance", (id, count)),
        Event::Set(id, done, total) => listener.call_method1("set", (id, done, total)),
        Event::End(id) => listener.call_method1("end", (id,)),
        Event::Done => return Ok(()),
    }?;
    Ok(())
}
