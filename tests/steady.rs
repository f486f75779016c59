//! A steady step makes nothing that stays. What that means here, after the first few steps, in which rings
//! fill and vectors find their size:
//!
//! - the GPU objects that the program makes (buffers, bind groups, pipelines, counted where they are made,
//!   and the staging buffers that wgpu would make for writes) stand still, exactly, over each following step;
//! - the bytes on the heap, all threads and libraries together, are the same after fifty steps as before
//!   them, but for a slack of less than one image, because tables inside wgpu and the driver's binding may
//!   still grow a little;
//! - wgpu allocates while it encodes and submits, so allocations that are freed again are not forbidden; none
//!   of them is as large as the images that the step sends, which therefore are not copied about on their
//!   way.

#[path = "common/allocations.rs"]
mod allocations;
mod common;

use allocations::{CALLS, LARGEST, LIVE_BYTES};
use dualprop::data::{Batch, PlacedImages, Placement};
use dualprop::gpu::Device;
use dualprop::training::engine::{Engine, RunLength};
use dualprop::training::method;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

const CLASSES: usize = 3;
const IMAGES: usize = 16;
/// Steps in which rings fill.
const FIRST: u64 = 4;

struct Run {
    engine: Engine,
    batch: Batch,
}

impl Run {
    /// `hold`: the images stay on the GPU.
    fn new(device: &Arc<Device>, size: usize, sets: &[&str], hold: bool) -> Self {
        let own = [
            "model.arch=resnet18",
            "model.width=0.1",
            "model.depth=0.5",
            "data.augment=[cutout]",
            &format!("data.image_size={size}"),
            &format!("run.batch_size={IMAGES}"),
        ];
        let config = common::config("", &[&own[..], sets].concat());
        let length = RunLength { steps_per_epoch: 20, total_steps: 1000 };
        let (mut engine, _) = common::engine(device, &config, CLASSES, length);
        let images: Vec<u8> = (0..IMAGES * size * size * 3).map(|i| (i * 31 % 251) as u8).collect();
        if hold {
            assert!(engine.hold_images(&images).unwrap());
        }
        let augmented = method::wants_two_views(&config.method)
            .then(|| PlacedImages { images: images.clone(), placements: vec![Placement::default(); IMAGES] });
        let sent = if hold { Vec::new() } else { images };
        let batch = Batch { augmented, ..common::batch(sent, IMAGES, CLASSES) };
        Self { engine, batch }
    }

    fn step(&mut self, step: u64) {
        self.engine.step(step, &self.batch).unwrap();
        while let Some(sums) = self.engine.poll().unwrap() {
            assert!(sums.branches.iter().all(|b| b.loss.is_finite()));
        }
    }
}

/// Taken by each test: what is on the heap is counted for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_step_makes_no_buffer_bind_group_or_pipeline() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::for_tests();
    let runs: [(&[&str], bool); 8] = [
        (&["method.kind=advprop", "method.attack.epsilon=2"], false),
        (&["method.kind=advprop", "method.attack.bn_stats=running"], true),
        (&["method.kind=mixprop"], false),
        (&["method.kind=mixprop", "run.accumulate=2"], true),
        (&["method.kind=advprop", "run.accumulate=4", "run.precision=f16"], false),
        (&["method.kind=advprop_fine_grained"], false),
        (&["method.kind=advprop", "method.attack.kind=mifgsm", "method.attack.iterations=2"], false),
        (&["method.kind=fast_advprop", "run.accumulate=2"], false),
    ];
    for (sets, hold) in runs {
        let mut run = Run::new(&device, 17, sets, hold);
        for step in 0..FIRST {
            run.step(step);
        }
        let counts = device.object_counts();
        assert!(counts.buffers > 0 && counts.bind_groups > 0 && counts.pipelines > 0, "{counts:?}");
        for step in FIRST..=12 {
            run.step(step);
            assert_eq!(device.object_counts(), counts, "{sets:?}, held images {hold}: step {step}");
        }
        run.engine.drain().unwrap();
    }
}

#[test]
fn the_heap_is_as_large_after_fifty_steps_and_images_are_not_copied() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    const SIZE: usize = 64;
    const STEPS: usize = 50;
    let device = Device::for_tests();
    for (sets, hold) in [(&["method.kind=advprop"][..], false), (&["method.kind=mixprop"], true)] {
        let mut run = Run::new(&device, SIZE, sets, hold);
        let image = SIZE * SIZE * 3;
        let mut steps = 0..;
        let mut some = |count: usize| {
            LARGEST.store(0, Ordering::Relaxed);
            let (mut fewest, mut most) = (usize::MAX, 0);
            for step in steps.by_ref().take(count) {
                let calls = CALLS.load(Ordering::Relaxed);
                run.step(step);
                run.engine.drain().unwrap();
                while run.engine.poll().unwrap().is_some() {}
                let calls = CALLS.load(Ordering::Relaxed) - calls;
                (fewest, most) = (fewest.min(calls), most.max(calls));
            }
            (LIVE_BYTES.load(Ordering::Relaxed), LARGEST.load(Ordering::Relaxed), fewest..=most)
        };
        some(10);
        let (before, _, early) = some(20);
        let (after, largest, late) = some(STEPS);
        assert!(after < before + image, "{sets:?}: {before} bytes on the heap became {after}");
        assert!(largest < IMAGES * image / 2, "{sets:?}: an allocation of {largest} bytes");
        // The driver's threads and waits make the count differ from step to step, but it does not grow.
        assert!(late.start() <= early.end(), "{sets:?}: {early:?} allocations a step became {late:?}");
    }
}
