//! `--domain auto`: the BN domain of each image.

use super::{dualprop, fails, image_folder, import, state_dict, succeeds, text};
use dualprop::interop::tensor_file;
use dualprop::training::checkpoint::load_tensors;
use serde_json::Value;
use std::path::Path;

/// A checkpoint of two domains, as `net.safetensors`: main expects dark images, aux light ones.
fn dark_and_light(folder: &Path) {
    let plain = folder.join("plain.safetensors");
    state_dict(&plain, 2, 2);
    let mut tensors = load_tensors(&plain).expect("readable");
    for (name, tensor) in &mut tensors {
        let is_aux = name.contains("aux_bn");
        let value = match name.rsplit('.').next().expect("a name") {
            "running_mean" if name.starts_with("bn1.") => {
                if is_aux {
                    1.0
                } else {
                    -1.0
                }
            }
            "running_mean" => 0.0,
            "bias" => {
                if is_aux {
                    0.3
                } else {
                    0.1
                }
            }
            "running_var" => 1.0,
            _ if tensor.shape.len() == 1 => 1.0,
            _ => 0.01,
        };
        tensor.data.fill(value);
    }
    let fc = &mut tensors.get_mut("fc.weight").expect("a classifier").data;
    fc.iter_mut().enumerate().for_each(|(i, value)| *value = 0.001 * (i % 7) as f32);
    tensor_file::write(&plain, &Default::default(), &tensors, &Default::default()).expect("writable");
    std::fs::write(folder.join("classes.txt"), "dark\nlight").expect("writable");
    let size = ["--width", "0.125", "--image-size", "32", "--classes", "classes.txt"];
    let files = ["import", "plain.safetensors", "--arch", "resnet18", "--out", "net.safetensors"];
    succeeds(&[files.as_slice(), &size].concat(), folder);
    image_folder(folder, &[("dark", 2), ("light", 1)]);
    let light = folder.join("set/val/light/0.png");
    image::RgbImage::from_pixel(32, 32, image::Rgb([255; 3])).save(light).expect("writable");
}

fn json(arguments: &[&str], folder: &Path) -> Value {
    let output = dualprop(arguments, folder);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one value")
}

/// On the software adapter.
#[test]
fn each_image_goes_through_the_domain_that_fits_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    dark_and_light(dir);
    let images = ["set/val/dark/0.png", "set/val/light/0.png"];
    let predict = |domain: &str| {
        let options = ["predict", "net.safetensors", "--device", "cpu", "--json", "--domain", domain];
        json(&[&options, &images[..]].concat(), dir)
    };
    let [main, aux, auto] = ["main", "aux", "auto"].map(predict);
    for (image, (domain, through)) in [("main", &main), ("aux", &aux)].into_iter().enumerate() {
        assert_ne!(main[image]["logits"], aux[image]["logits"]);
        assert_eq!(auto[image]["logits"], through[image]["logits"]);
        assert_eq!((&auto[image]["domain"], &auto[image]["chosen_domain"]), (&"auto".into(), &domain.into()));
        assert!(through[image].get("chosen_domain").is_none());
    }
    let said = succeeds(
        &[&["predict", "net.safetensors", "--device", "cpu", "--domain", "auto"], &images[..]].concat(),
        dir,
    );
    assert!(said.contains("light/0.png (through aux)"), "{said}");
    let made = ["net.safetensors", images[1], "--device", "cpu", "--domain", "auto", "--out", "made"];
    succeeds(&[&["cam"], &made[..]].concat(), dir);
    let attacked = json(&[&["attack", "--json", "--attack", "fgsm:eps=2"], &made[..]].concat(), dir);
    assert_eq!(
        (&attacked[0]["domain"], &attacked[0]["label"]),
        (&"auto".into(), &auto[1]["top"][0]["index"])
    );
    let export = ["export", "net.safetensors", "--to", "safetensors", "--out", "z", "--domain", "auto"];
    let said = fails(&export, 2, dir);
    assert!(said.contains("--domain auto chooses a domain by image"), "{said}");
}

/// On the software adapter.
#[test]
fn an_evaluation_has_rows_of_the_choice_and_goes_on_with_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    dark_and_light(dir);
    let eval = |options: &[&str]| {
        let data =
            ["eval", "net.safetensors", "--data", "folder", "--path", "set", "--device", "cpu", "--json"];
        json(&[&data, options].concat(), dir)
    };
    let alone = eval(&["--domain", "auto"]);
    assert_eq!((&alone["domain"], &alone["images"]), (&"auto".into(), &3.into()));
    let conditions = ["--domain", "all", "--attack", "fgsm:eps=2", "--epsilons", "0,2"];
    let all = eval(&conditions);
    let rows = all["rows"].as_array().expect("rows");
    let domains: Vec<&str> = rows.iter().filter_map(|row| row["domain"].as_str()).collect();
    assert_eq!(domains, ["main", "aux", "auto"].repeat(2));
    assert_eq!((&rows[2]["loss"], &rows[2]["top1"]), (&alone["loss"], &alone["top1"]));
    // Two dark images through main and a light one through aux: the sums of single images.
    let of_one = |domain: &str, class: &str| {
        std::fs::create_dir_all(dir.join("one/val")).expect("writable");
        for name in ["dark", "light"] {
            std::fs::create_dir_all(dir.join("one/val").join(name)).expect("writable");
            let _ = std::fs::remove_file(dir.join("one/val").join(name).join("0.png"));
        }
        let file = format!("val/{class}/0.png");
        std::fs::copy(dir.join("set").join(&file), dir.join("one").join(&file)).expect("writable");
        let data = ["eval", "net.safetensors", "--data", "folder", "--path", "one", "--device", "cpu"];
        let found = json(&[&data[..], &["--json", "--domain", domain]].concat(), dir);
        found["loss"].as_f64().expect("a loss")
    };
    let expected = (2.0 * of_one("main", "dark") + of_one("aux", "light")) / 3.0;
    assert!((alone["loss"].as_f64().expect("a loss") - expected).abs() < 1e-5, "{alone}, {expected}");

    let kept = [&conditions[..], &["--resume", "kept"]].concat();
    assert_eq!(eval(&kept), all);
    assert_eq!(eval(&kept), all);
}

/// On the software adapter.
#[test]
fn with_one_domain_the_choice_is_main_and_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    image::RgbImage::new(32, 32).save(dir.join("a.png")).expect("writable");
    let arguments = ["predict", "net.safetensors", "a.png", "--device", "cpu", "--json", "--domain", "auto"];
    let output = dualprop(&arguments, dir);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one value");
    assert_eq!(found[0]["domain"], "main");
    let said = text(&output.stderr);
    assert!(said.contains("has one BN domain, so --domain auto is main"), "{said}");
}
