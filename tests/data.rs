//! What the data layer promises.

use dualprop::data::Dataset;
use dualprop::data::shapes::{Shapes, ShapesSplit};

/// Writes contact sheets of `shapes` for a person to look at: `DUALPROP_SHEETS=DIR cargo test --test data -- --ignored contact`.
#[test]
#[ignore = "writes pictures to look at, checks nothing"]
fn contact_sheets_of_shapes() {
    let dir = std::env::var("DUALPROP_SHEETS").expect("DUALPROP_SHEETS names the folder to write to");
    for (split, size, zoom) in [
        (ShapesSplit::Val, 32, 3),
        (ShapesSplit::ValStylized, 32, 3),
        (ShapesSplit::Val, 96, 1),
    ] {
        let set = Shapes::new(split);
        let (columns, rows) = (10, 8);
        let cell = (size * zoom + 2) as u32;
        let mut sheet = image::RgbImage::new(columns * cell, rows * cell);
        for index in 0..(columns * rows) as usize {
            let bytes = set.load(index, size).expect("a made image");
            let image = image::RgbImage::from_raw(size as u32, size as u32, bytes).expect("the stated size");
            let side = (size * zoom) as u32;
            let image = image::imageops::resize(&image, side, side, image::imageops::FilterType::Nearest);
            let (x, y) = (index as u32 % columns * cell, index as u32 / columns * cell);
            image::imageops::replace(&mut sheet, &image, i64::from(x), i64::from(y));
        }
        sheet.save(format!("{dir}/{}-{size}.png", split.name())).expect("a writable folder");
    }
}

/// Prints milliseconds an image; `cargo test --release` for figures that mean something.
#[test]
#[ignore = "measures, checks nothing"]
fn rate_of_shapes() {
    let set = Shapes::new(ShapesSplit::Train);
    for size in [32, 64, 224] {
        let start = std::time::Instant::now();
        let count = 64_000 / size;
        let mut sum = 0u64;
        for index in 0..count {
            sum += u64::from(set.load(index, size).expect("a made image")[0]);
        }
        let micros = start.elapsed().as_secs_f64() * 1e6 / count as f64;
        println!("shapes at {size} px: {micros:.1} µs an image, {:.0} images/s on one core (check sum {sum})", 1e6 / micros);
    }
}
