//! The one way to the port: off the event loop, bounded, and with internal errors kept inside.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{OnceCell, Semaphore};

use crate::ports::{ReadError, Reader};

/// Calls the port on a blocking thread, at most so many calls at a time.
#[derive(Clone)]
pub(crate) struct Reads {
    reader: Arc<dyn Reader>,
    permits: Arc<Semaphore>,
}

impl Reads {
    pub(crate) fn new(reader: Arc<dyn Reader>, concurrent: usize) -> Self {
        Self {
            reader,
            permits: Arc::new(Semaphore::new(concurrent.max(1))),
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
        let reader = self.reader.clone();
        let started = Instant::now();
        let answer = tokio::task::spawn_blocking(move || {
            let answer = read(&*reader);
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
        ReadError::OutOfRange { .. } => {}
        ReadError::Store(_) | ReadError::Decode(_) => {
            tracing::error!(read = name, %error, "a read failed");
        }
    }
}

/// Joins the reads that fields of one operation make at the same step into one call of the port.
///
/// A key is put into the open group when its field is first polled. The task then yields once:
/// the runtime wakes a yielded task only after it has polled everything it can, so by then every
/// sibling field has added its key. The first field to come back closes the group and reads. No
/// timer is involved, and how many reads a query makes does not depend on the scheduler.
///
/// Nothing is kept after a group is answered: a long subscription does not grow.
pub(crate) struct Batch<K, V> {
    reads: Reads,
    name: &'static str,
    read: fn(&dyn Reader, &[K]) -> Result<Vec<V>, ReadError>,
    open: Mutex<Option<Arc<Group<K, V>>>>,
}

struct Group<K, V> {
    keys: Mutex<Vec<K>>,
    answer: OnceCell<Result<Answers<K, V>, ReadError>>,
}

type Answers<K, V> = HashMap<K, Result<V, ReadError>>;

impl<K, V> Batch<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new(
        reads: &Reads,
        name: &'static str,
        read: fn(&dyn Reader, &[K]) -> Result<Vec<V>, ReadError>,
    ) -> Self {
        Self {
            reads: reads.clone(),
            name,
            read,
            open: Mutex::new(None),
        }
    }

    pub(crate) async fn load(&self, key: K) -> Result<V, ReadError> {
        let group = self.join(&[key]);
        self.answer(&group, key).await
    }

    /// The values of several keys, in their order, out of one group.
    pub(crate) async fn load_many(&self, keys: &[K]) -> Result<Vec<V>, ReadError> {
        let group = self.join(keys);
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.answer(&group, *key).await?);
        }
        Ok(values)
    }

    fn join(&self, keys: &[K]) -> Arc<Group<K, V>> {
        let mut open = lock(&self.open);
        let group = open.get_or_insert_with(|| {
            Arc::new(Group {
                keys: Mutex::new(Vec::new()),
                answer: OnceCell::new(),
            })
        });
        lock(&group.keys).extend_from_slice(keys);
        group.clone()
    }

    async fn answer(&self, group: &Arc<Group<K, V>>, key: K) -> Result<V, ReadError> {
        if !group.answer.initialized() {
            tokio::task::yield_now().await;
        }
        let answer = group.answer.get_or_init(|| self.fill(group)).await;
        match answer {
            Ok(values) => values.get(&key).cloned().unwrap_or_else(|| {
                let text = format!("the read `{}` left out a key", self.name);
                Err(ReadError::Store(text))
            }),
            Err(error) => Err(error.clone()),
        }
    }

    async fn fill(&self, group: &Arc<Group<K, V>>) -> Result<Answers<K, V>, ReadError> {
        {
            let mut open = lock(&self.open);
            if open.as_ref().is_some_and(|now| Arc::ptr_eq(now, group)) {
                *open = None;
            }
        }
        // Cloned, not taken: if this field is dropped mid-read, the next one reads again.
        let mut keys = lock(&group.keys).clone();
        let mut seen = std::collections::HashSet::with_capacity(keys.len());
        keys.retain(|key| seen.insert(*key));
        let (read, name) = (self.read, self.name);
        self.reads
            .run(name, move |reader| read_all(reader, name, read, keys))
            .await
    }
}

/// Reads all keys at once; when that fails for what one of them points at, one by one, so that a
/// bad key takes nothing from the others.
fn read_all<K: Copy + Eq + Hash, V>(
    reader: &dyn Reader,
    name: &'static str,
    read: fn(&dyn Reader, &[K]) -> Result<Vec<V>, ReadError>,
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
        Err(ReadError::Decode(_) | ReadError::OutOfRange { .. }) if keys.len() > 1 => {
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
