//! Worker threads that turn jobs into results, handed back in the order in which the jobs went in.

use anyhow::{Context, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Tells a job that nobody waits for its result any more.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Dropping it asks the jobs under way to stop and joins the threads.
pub(super) struct OrderedPool<J, R> {
    /// Gone only while dropping.
    jobs: Option<Sender<(u64, J)>>,
    results: Receiver<(u64, R)>,
    /// Results that came before their turn.
    early: BTreeMap<u64, R>,
    submitted: u64,
    taken: u64,
    capacity: usize,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static, R: Send + 'static> OrderedPool<J, R> {
    /// Starts `workers` threads named `name-0`, `name-1`, …; at most `capacity` jobs are under way at a time.
    pub(super) fn start(
        name: &str,
        workers: usize,
        capacity: usize,
        work: impl Fn(J, &Stop) -> R + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let (jobs, job_queue) = bounded::<(u64, J)>(capacity);
        let (result_queue, results) = bounded(capacity);
        let mut pool = Self {
            jobs: Some(jobs),
            results,
            early: BTreeMap::new(),
            submitted: 0,
            taken: 0,
            capacity,
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::with_capacity(workers),
        };
        let work = Arc::new(work);
        for i in 0..workers {
            let (job_queue, result_queue) = (job_queue.clone(), result_queue.clone());
            let (work, stop) = (Arc::clone(&work), Stop(Arc::clone(&pool.stop)));
            let thread = std::thread::Builder::new()
                .name(format!("{name}-{i}"))
                .spawn(move || {
                    while let Ok((turn, job)) = job_queue.recv() {
                        if stop.requested() {
                            break;
                        }
                        let result = work(job, &stop);
                        if stop.requested() || result_queue.send((turn, result)).is_err() {
                            break;
                        }
                    }
                })
                .context("cannot start a thread to read images")?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Jobs that may be submitted now.
    pub(super) fn room(&self) -> usize {
        self.capacity - (self.submitted - self.taken) as usize
    }

    /// Queues a job. Fails when there is no room or no worker is left.
    pub(super) fn submit(&mut self, job: J) -> anyhow::Result<()> {
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| self.room() > 0 && jobs.try_send((self.submitted, job)).is_ok());
        anyhow::ensure!(sent, "the threads that read images take no more work");
        self.submitted += 1;
        Ok(())
    }

    /// Waits for the result of the oldest job; `None` when no job is under way.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<R>> {
        if self.taken == self.submitted {
            return Ok(None);
        }
        loop {
            if let Some(result) = self.early.remove(&self.taken) {
                self.taken += 1;
                return Ok(Some(result));
            }
            let (turn, result) =
                self.results.recv().map_err(|_| anyhow!("the threads that read images have ended"))?;
            self.early.insert(turn, result);
        }
    }
}

impl<J, R> Drop for OrderedPool<J, R> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A worker that panicked has nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// Number of worker threads for a wish; 0 leaves the choice to the program: a thread a core, at most 16.
pub(super) fn worker_count(wish: usize) -> usize {
    match wish {
        0 => std::thread::available_parallelism().map_or(1, usize::from).min(16),
        wish => wish,
    }
}
