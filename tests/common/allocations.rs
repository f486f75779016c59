//! Counts what the system's allocator hands out, to all threads and libraries together. A test binary takes
//! it in by itself, because whoever does has it as its allocator.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

/// Bytes that are taken and not given back.
pub(crate) static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
/// The most of them at a time since a test set this.
pub(crate) static MOST_BYTES: AtomicUsize = AtomicUsize::new(0);
/// Bytes of the largest single piece since a test set this.
pub(crate) static LARGEST: AtomicUsize = AtomicUsize::new(0);
/// Pieces that were taken.
pub(crate) static CALLS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken(bytes: usize) {
    let live = LIVE_BYTES.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST_BYTES.fetch_max(live, Ordering::Relaxed);
    LARGEST.fetch_max(bytes, Ordering::Relaxed);
    CALLS.fetch_add(1, Ordering::Relaxed);
}

#[allow(unsafe_code, reason = "an allocator is unsafe to write; this one hands everything on")]
// SAFETY: the system's allocator does the work, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    // By default it would write the zeros, and so touch what is only asked for.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        taken(size);
        unsafe { System.realloc(at, layout, size) }
    }
}
