//! The one way to the port: off the event loop, bounded, and with internal errors kept inside.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Instant;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::sync::Semaphore;

use crate::ports::{ReadError, Reader};

/// How many probes read at once.
const PROBES: usize = 2;

/// Calls the port on a blocking thread, at most so many calls at a time.
#[derive(Clone)]
pub(crate) struct Reads {
    reader: Arc<dyn Reader>,
    permits: Arc<Semaphore>,
    /// Places that only probes take.
    spare: Arc<Semaphore>,
    /// The snapshot that these reads share, taken by the first of them.
    pin: Option<Arc<Pin>>,
}

type Pin = OnceLock<Result<Option<Arc<dyn Reader>>, ReadError>>;

impl Reads {
    pub(crate) fn new(reader: Arc<dyn Reader>, concurrent: usize) -> Self {
        Self {
            reader,
            permits: Arc::new(Semaphore::new(concurrent.max(1))),
            spare: Arc::new(Semaphore::new(PROBES)),
            pin: None,
        }
    }

    /// The same, all from one snapshot: that of the moment of the first read.
    pub(crate) fn pinned(&self) -> Self {
        Self {
            pin: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// The same in places of their own, which no query takes: for probes, whose answer must not
    /// wait until others have theirs.
    pub(crate) fn spare(&self) -> Self {
        Self {
            permits: self.spare.clone(),
            ..self.clone()
        }
    }

    pub(crate) fn reader(&self) -> &dyn Reader {
        &*self.reader
    }

    /// Runs one read. `name` labels its metric.
    ///
    /// A caller that goes away does not stop a read that has started, so the permit moves into the
    /// blocking thread: otherwise abandoned reads would pile up past the bound.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        name: &'static str,
        read: impl FnOnce(&dyn Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let permit = self
            .permits
            .clone()
            .acquire_owned()
            .await
            .map_err(|closed| ReadError::Store(closed.to_string()))?;
        let (reader, pin) = (self.reader.clone(), self.pin.clone());
        let started = Instant::now();
        let answer = tokio::task::spawn_blocking(move || {
            let answer = match pin
                .as_ref()
                .map(|pin| pin.get_or_init(|| reader.snapshot()))
            {
                None | Some(Ok(None)) => read(&*reader),
                Some(Ok(Some(snapshot))) => {
                    let answer = read(&**snapshot);
                    // Whatever the answer is: another branch may have come into it.
                    snapshot.confirm().and(answer)
                }
                Some(Err(error)) => Err(error.clone()),
            };
            drop(permit);
            answer
        })
        .await
        .map_err(|failed| ReadError::Store(failed.to_string()))
        .and_then(|answer| answer);
        metrics::histogram!("graphql_read_seconds", "read" => name)
            .record(started.elapsed().as_secs_f64());
        if let Err(error) = &answer {
            report(name, error);
        }
        answer
    }
}

/// Logs what a client is not told.
fn report(name: &'static str, error: &ReadError) {
    match error {
        ReadError::OutOfRange { .. } | ReadError::Restaging { .. } | ReadError::Dropped(_) => {}
        ReadError::Store(_) | ReadError::Decode(_) => {
            tracing::error!(read = name, %error, "a read failed");
        }
    }
}

/// A method of the port that answers many keys at once.
type ReadMany<K, V> = fn(&dyn Reader, &[K]) -> Result<Vec<V>, ReadError>;

/// Joins the reads that fields of one operation make at the same step into one call of the port.
///
/// A key is put into the open group when its field is first polled. The field then yields to its
/// siblings until some rounds in a row have added no key; the first that sees so closes the group
/// and reads. No timer is involved, so a lone read waits for microseconds and a list of a thousand
/// fields makes one read.
///
/// Nothing is kept after a group is answered: a long subscription does not grow.
pub(crate) struct Batch<K, V> {
    reads: Reads,
    name: &'static str,
    read: ReadMany<K, V>,
    open: Mutex<Option<Arc<Group<K, V>>>>,
}

struct Group<K, V> {
    keys: Mutex<Vec<K>>,
    answer: OnceLock<Shared<BoxFuture<'static, Answered<K, V>>>>,
}

/// Rounds without a new key after which a group is complete. One is not enough: a large set of
/// futures polls only some of its members before it yields itself.
const QUIET_ROUNDS: u32 = 3;

impl<K, V> Group<K, V> {
    async fn settled(&self) {
        let (mut known, mut quiet) = (0, 0);
        while quiet < QUIET_ROUNDS && self.answer.get().is_none() {
            pass().await;
            let now = lock(&self.keys).len();
            quiet = if now == known { quiet + 1 } else { 0 };
            known = now;
        }
    }
}

/// Lets the other futures of the same task have a turn.
///
/// The runtime's own `yield_now` would wake each field from outside the task, some of them late
/// when the machine is busy; groups would then fall apart now and then. Waking within the task keeps
/// the turns in order.
async fn pass() {
    let mut passed = false;
    std::future::poll_fn(|cx| {
        if passed {
            return Poll::Ready(());
        }
        passed = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

type Answers<K, V> = HashMap<K, Result<V, ReadError>>;
type Answered<K, V> = Arc<Result<Answers<K, V>, ReadError>>;

impl<K, V> Batch<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(reads: &Reads, name: &'static str, read: ReadMany<K, V>) -> Self {
        Self {
            reads: reads.clone(),
            name,
            read,
            open: Mutex::new(None),
        }
    }

    pub(crate) async fn load(&self, key: K) -> Result<V, ReadError> {
        let answer = self.answer(&[key]).await;
        self.pick(&answer, &key)
    }

    /// The values of several keys, in their order; the first that failed fails them all.
    pub(crate) async fn load_many(&self, keys: &[K]) -> Result<Vec<V>, ReadError> {
        let answer = self.answer(keys).await;
        keys.iter().map(|key| self.pick(&answer, key)).collect()
    }

    fn pick(&self, answer: &Answered<K, V>, key: &K) -> Result<V, ReadError> {
        match &**answer {
            Ok(values) => values.get(key).cloned().unwrap_or_else(|| {
                let text = format!("the read `{}` left out a key", self.name);
                Err(ReadError::Store(text))
            }),
            Err(error) => Err(error.clone()),
        }
    }

    /// Puts keys into the open group and waits for its answer.
    async fn answer(&self, keys: &[K]) -> Answered<K, V> {
        let group = self.join(keys);
        group.settled().await;
        // Whoever waits drives the read, so it goes on if the field that began it is dropped.
        group
            .answer
            .get_or_init(|| self.close(&group))
            .clone()
            .await
    }

    fn join(&self, keys: &[K]) -> Arc<Group<K, V>> {
        let mut open = lock(&self.open);
        let group = open.get_or_insert_with(|| {
            Arc::new(Group {
                keys: Mutex::new(Vec::new()),
                answer: OnceLock::new(),
            })
        });
        lock(&group.keys).extend_from_slice(keys);
        group.clone()
    }

    /// Lets no more keys into the group and begins its read.
    fn close(&self, group: &Arc<Group<K, V>>) -> Shared<BoxFuture<'static, Answered<K, V>>> {
        {
            let mut open = lock(&self.open);
            if open.as_ref().is_some_and(|now| Arc::ptr_eq(now, group)) {
                *open = None;
            }
        }
        let mut keys = std::mem::take(&mut *lock(&group.keys));
        let mut seen = HashSet::with_capacity(keys.len());
        keys.retain(|key| seen.insert(*key));
        let (reads, read, name) = (self.reads.clone(), self.read, self.name);
        let answer = async move {
            let read = reads.run(name, move |reader| read_all(reader, name, read, keys));
            Arc::new(read.await)
        };
        answer.boxed().shared()
    }
}

/// Reads all keys at once; when that fails for what one of them points at, one by one, so that a
/// bad key takes nothing from the others.
fn read_all<K: Copy + Eq + Hash, V>(
    reader: &dyn Reader,
    name: &'static str,
    read: ReadMany<K, V>,
    keys: Vec<K>,
) -> Result<Answers<K, V>, ReadError> {
    match read(reader, &keys) {
        Ok(values) if values.len() == keys.len() => {
            Ok(keys.into_iter().zip(values.into_iter().map(Ok)).collect())
        }
        Ok(values) => Err(ReadError::Store(format!(
            "the read `{name}` answered {} of {} keys",
            values.len(),
            keys.len()
        ))),
        Err(ReadError::Decode(_) | ReadError::OutOfRange { .. } | ReadError::Dropped(_))
            if keys.len() > 1 =>
        {
            let mut answers = Answers::with_capacity(keys.len());
            for key in keys {
                let mut one = read_all(reader, name, read, vec![key]);
                if let Err(error) = &one {
                    report(name, error);
                }
                let value = match &mut one {
                    Ok(values) => values.remove(&key).unwrap_or_else(|| {
                        let text = format!("the read `{name}` left out a key");
                        Err(ReadError::Store(text))
                    }),
                    Err(error) => Err(error.clone()),
                };
                answers.insert(key, value);
            }
            Ok(answers)
        }
        Err(error) => Err(error),
    }
}

/// A lock that a panic elsewhere does not take from us: the data under it is only keys.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
