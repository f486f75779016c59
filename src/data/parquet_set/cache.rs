//! Pages that were decoded lately. A page holds several images, and whoever reads images in their order wants
//! them one after another, on several threads at a time.

use super::values::Values;
use anyhow::anyhow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A page by its file, row group and number in it.
pub(super) type Key = (u32, u32, u32);

/// The values of a page's rows, or why there are none.
type Decoded = Result<Values, String>;

/// Decoded pages up to a number of bytes; the one that was not used for longest goes first.
pub(super) struct PageCache {
    most_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pages: HashMap<Key, Entry>,
    bytes: usize,
    /// Counts the uses.
    clock: u64,
}

struct Entry {
    page: Arc<OnceLock<Decoded>>,
    /// 0 while it is decoded.
    bytes: usize,
    used: u64,
}

impl PageCache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, state: Mutex::default() }
    }

    /// Hands the value of row `row` of a page to `take`; `decode` decodes the page where it is not here.
    /// Threads that want the same page wait for one of them to decode it.
    pub(super) fn value<T>(
        &self,
        key: Key,
        row: usize,
        decode: impl FnOnce() -> anyhow::Result<Values>,
        take: impl FnOnce(Option<&[u8]>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let page = self.slot(key);
        let decoded = page.get_or_init(|| decode().map_err(|error| format!("{error:#}")));
        self.count(key, decoded);
        match decoded {
            Ok(values) => take(values.get(row)),
            Err(text) => Err(anyhow!("{text}")),
        }
    }

    fn slot(&self, key: Key) -> Arc<OnceLock<Decoded>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock += 1;
        let used = state.clock;
        let new = || Entry { page: Arc::default(), bytes: 0, used };
        let entry = state.pages.entry(key).or_insert_with(new);
        entry.used = used;
        Arc::clone(&entry.page)
    }

    /// Counts the bytes of a page that is decoded now, and lets others go where there are too many.
    fn count(&self, key: Key, decoded: &Decoded) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let Some(entry) = state.pages.get_mut(&key).filter(|entry| entry.bytes == 0) else { return };
        // What cannot be read takes little, and is not counted twice.
        entry.bytes = decoded.as_ref().map_or(1, |values| values.memory().max(1));
        state.bytes += entry.bytes;
        while state.bytes > self.most_bytes {
            let counted = state.pages.iter().filter(|(_, entry)| entry.bytes > 0);
            let Some(oldest) = counted.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else {
                break;
            };
            state.bytes -= state.pages.remove(&oldest).map_or(0, |entry| entry.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// Reads the first value of a page of one value, and counts how often one is decoded.
    fn read(cache: &PageCache, number: u32, decoded: &Cell<usize>) -> usize {
        let decode = || {
            decoded.set(decoded.get() + 1);
            Ok(Values::of(&[&[7; 1000]]))
        };
        cache.value((0, 0, number), 0, decode, |value| Ok(value.map_or(0, <[u8]>::len))).unwrap()
    }

    #[test]
    fn pages_are_decoded_once_while_there_is_room_and_the_oldest_goes() {
        let cache = PageCache::new(3 * Values::of(&[&[7; 1000]]).memory());
        let decoded = Cell::new(0);
        for number in [0, 1, 2, 0, 1, 2] {
            assert_eq!(read(&cache, number, &decoded), 1000);
        }
        assert_eq!(decoded.get(), 3);
        // The fourth puts 0 out, which was used before 1 and 2.
        for number in [3, 1, 2] {
            read(&cache, number, &decoded);
        }
        assert_eq!(decoded.get(), 4);
        read(&cache, 0, &decoded);
        assert_eq!(decoded.get(), 5);
    }

    #[test]
    fn a_page_beyond_all_room_is_read_but_not_kept() {
        let (cache, decoded) = (PageCache::new(10), Cell::new(0));
        assert_eq!([0, 0].map(|number| read(&cache, number, &decoded)), [1000, 1000]);
        assert_eq!(decoded.get(), 2);
        assert!(cache.state.lock().unwrap().pages.is_empty());
    }

    #[test]
    fn why_a_page_cannot_be_read_is_said_each_time() {
        let cache = PageCache::new(1000);
        for _ in 0..2 {
            let read = cache.value((0, 0, 0), 0, || Err(anyhow!("it is damaged")), |_| Ok(()));
            assert_eq!(read.unwrap_err().to_string(), "it is damaged");
        }
    }
}
