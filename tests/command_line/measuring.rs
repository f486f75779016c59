//! What is measured on images: accuracies, corruptions, attacks, maps, one bad image among good ones.

use super::{dualprop, fails, image_folder, import, opinionated, state_dict, succeeds, text};
use std::path::Path;

/// On the software adapter.
#[test]
fn any_part_of_a_folder_can_be_evaluated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    for part in ["test", "photos of others"] {
        for class in ["0", "1", "2"] {
            let class = dir.join("set").join(part).join(class);
            std::fs::create_dir_all(&class).expect("writable");
            image::RgbImage::new(32, 32).save(class.join("a.png")).expect("writable");
        }
    }
    let eval = |part: &str| {
        let data = format!("folder:{part}");
        dualprop(&["eval", "net.safetensors", "--data", &data, "--path", "set", "--device", "cpu"], dir)
    };
    for part in ["test", "photos of others"] {
        let output = eval(part);
        let found = text(&output.stdout);
        assert!(found.starts_with(&format!("folder {part}, domain main: top-1")), "{found} {output:?}");
        assert!(found.contains("on 3 images"), "{found}");
    }
    // What people call their validation images.
    assert!(text(&eval("val").stdout).contains("on 3 images"));
    let output = eval("train");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no part \"train\"; expected one of val, photos of others, test"), "{said}");
}

/// On the software adapter.
#[test]
fn labels_are_matched_with_the_classes_of_the_checkpoint_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let eval = |options: &[&str]| {
        let data =
            ["eval", "net.safetensors", "--data", "folder", "--path", "set", "--device", "cpu", "--json"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let figures = |options: &[&str]| -> (serde_json::Value, String) {
        let output = eval(options);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (serde_json::from_slice(&output.stdout).expect("one value"), text(&output.stderr))
    };

    // Another order: numbers in the checkpoint, bytewise in the folder.
    let numbers: Vec<String> = (0..12).map(|class| class.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    opinionated(dir, &numbers, "2");
    let images: Vec<(&str, usize)> =
        numbers.iter().map(|name| (*name, if *name == "2" { 9 } else { 1 })).collect();
    image_folder(dir, &images);
    let (found, said) = figures(&[]);
    assert_eq!((found["top1"].as_f64(), found["classes_by"].as_str()), (Some(0.45), Some("name")));
    assert!(said.contains("another order"), "{said}");
    let (found, _) = figures(&["--classes-by", "number"]);
    assert_eq!((found["top1"].as_f64(), found["classes_by"].as_str()), (Some(0.05), Some("number")));

    // The same names in the same order need no word.
    opinionated(dir, &["a", "b", "c"], "c");
    image_folder(dir, &[("a", 1), ("b", 1), ("c", 2)]);
    let (found, said) = figures(&[]);
    assert_eq!((found["top1"].as_f64(), said.contains("note")), (Some(0.5), false), "{said}");

    // Other names are refused, unless an option says what they mean.
    image_folder(dir, &[("b", 1), ("c", 1), ("d", 3)]);
    let refused = eval(&[]);
    let said = text(&refused.stderr);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{said}");
    for part in ["only the checkpoint has a", "only the data set has d", "--classes-by number"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let (found, said) = figures(&["--classes-by", "name"]);
    assert_eq!((found["images"].as_u64(), found["left_out"].as_u64()), (Some(2), Some(3)));
    assert_eq!(found["top1"].as_f64(), Some(0.5));
    assert!(said.contains("left out 3 of 5 images: the checkpoint has no class d"), "{said}");
    std::fs::write(dir.join("meaning.txt"), "# data = checkpoint\nb = a\nc = b\nd = c\n").expect("writable");
    let (found, _) = figures(&["--classes-by", "meaning.txt"]);
    assert_eq!((found["classes_by"].as_str(), found["images"].as_u64()), (Some("meaning.txt"), Some(5)));
    assert_eq!(found["top1"].as_f64(), Some(0.6));
    let said = text(&eval(&["--classes-by", "nowhere.txt"]).stderr);
    assert!(said.contains("there is no file nowhere.txt"), "{said}");
}

/// A tree of corrupted images, black ones, with `images` a class.
fn corrupted_folder(folder: &Path, corruptions: &[&str], severities: &[u8], classes: &[(&str, usize)]) {
    for corruption in corruptions {
        for severity in severities {
            for (class, images) in classes {
                let class = folder.join("c").join(corruption).join(severity.to_string()).join(class);
                std::fs::create_dir_all(&class).expect("writable");
                for image in 0..*images {
                    image::RgbImage::new(32, 32).save(class.join(format!("{image}.png"))).expect("writable");
                }
            }
        }
    }
}

/// The names of ImageNet-C's main corruptions.
const MAIN: [&str; 15] = [
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
];

#[test]
fn a_tree_of_corruptions_is_measured_cell_by_cell_and_gone_on_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    opinionated(dir, &["a", "b"], "b");
    corrupted_folder(dir, &MAIN, &[1, 2, 3, 4, 5], &[("a", 1), ("b", 3)]);
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--data", "folder-c", "--path", "c", "--device", "cpu"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let json = |options: &[&str]| -> serde_json::Value {
        let output = eval(&[options, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one value")
    };
    // The mean of errors, and over AlexNet's: a quarter over the mean of 1 / its errors.
    let found = json(&["--resume", "runs/one"]);
    assert_eq!(found["rows"].as_array().map(Vec::len), Some(75));
    let row = &found["rows"][7];
    assert_eq!((row["corruption"].as_str(), row["severity"].as_u64()), (Some("contrast"), Some(3)));
    assert_eq!((row["images"].as_u64(), row["top1"].as_f64()), (Some(4), Some(0.75)));
    assert_eq!((found["mce"]["value"].as_f64(), found["mce"]["normalised_by"].is_null()), (Some(25.0), true));
    let found = json(&["--resume", "runs/one", "--baseline", "imagenet-alexnet"]);
    let alexnet = found["mce"]["value"].as_f64().expect("a number");
    assert!((25.0 / 0.95..25.0 / 0.55).contains(&alexnet), "{alexnet}");
    assert!(found["mce"]["relative"].is_null(), "there are no clean images");
    let fog = &found["mce"]["by_corruption"]["fog"];
    assert!((fog["ce"].as_f64().expect("a number") - 25.0 / 0.819324).abs() < 1e-3, "{fog}");
    // With the clean images' error the corruptions cost nothing beyond it.
    image_folder(dir, &[("a", 1), ("b", 3)]);
    let clean = ["eval", "net.safetensors", "--data", "folder", "--path", "set", "--device", "cpu"];
    let clean = dualprop(&[clean.as_slice(), &["--resume", "runs/clean"]].concat(), dir);
    assert!(clean.status.success(), "{}", text(&clean.stderr));
    let options = ["--resume", "runs/one", "--baseline", "imagenet-alexnet", "--clean", "runs/clean"];
    assert_eq!(json(&options)["mce"]["relative"].as_f64(), Some(0.0));
    let refused = text(&eval(&["--clean", "runs/one"]).stderr);
    assert!(refused.contains("--clean") && refused.contains("has no clean images"), "{refused}");
    // A model is as good as itself.
    let found = json(&["--baseline", "runs/one"]);
    assert_eq!(
        (found["mce"]["value"].as_f64(), found["mce"]["normalised_by"].as_str()),
        (Some(100.0), Some("runs/one"))
    );
    // A part of it has no mean corruption error and says why.
    let said = text(&eval(&["--corruptions", "fog,snow", "--severity", "1,5"]).stdout);
    assert!(said.contains("no mCE: gaussian_noise,") && said.contains("fog at severity 2, 3, 4"), "{said}");
    assert!(said.contains("75.00"), "{said}");
    let refused = text(&eval(&["--resume", "runs/one", "--limit", "3"]).stderr);
    assert!(refused.contains("was begun with limit 0, and this command has 3"), "{refused}");
    std::fs::remove_dir_all(dir.join("c/fog/4")).expect("there");
    let refused = text(&eval(&[]).stderr);
    assert!(refused.contains("has no severity 4") && refused.contains("--severity 1,2,3,5"), "{refused}");
}

#[test]
fn classes_that_a_set_lacks_are_no_answers_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    opinionated(dir, &["a", "b", "c"], "c");
    image_folder(dir, &[("b", 3), ("a", 1)]);
    let eval = |options: &[&str]| {
        let data =
            ["eval", "net.safetensors", "--data", "folder", "--path", "set", "--device", "cpu", "--json"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let figure = |options: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&eval(options).stdout).expect("one value")
    };
    assert!(text(&eval(&[]).stderr).contains("--data-classes-only"));
    assert_eq!(figure(&["--classes-by", "name"])["top1"].as_f64(), Some(0.0));
    // Between a and b, which are equal to it, it takes the first.
    let found = figure(&["--data-classes-only"]);
    assert_eq!((found["top1"].as_f64(), found["top5"].as_f64()), (Some(0.25), Some(1.0)));
    assert!((found["loss"].as_f64().expect("a number") - 2.0_f64.ln()).abs() < 1e-5, "{found}");
}

#[test]
fn all_domains_are_measured_under_corruptions_that_are_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    state_dict(&dir.join("plain.safetensors"), 10, 2);
    std::fs::write(dir.join("classes.txt"), shapes_classes().join("\n")).expect("writable");
    let size = ["--width", "0.125", "--image-size", "32", "--classes", "classes.txt"];
    let files = ["import", "plain.safetensors", "--arch", "resnet18", "--out", "net.safetensors"];
    succeeds(&[files.as_slice(), &size].concat(), dir);
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--data", "shapes", "--limit", "20", "--device", "cpu"];
        dualprop(&[data.as_slice(), &["--domain", "all"], options].concat(), dir)
    };
    let output = eval(&["--corruptions", "gaussian_noise,shot_noise", "--severity", "2,4", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one value");
    let rows = found["rows"].as_array().expect("rows");
    let domains: Vec<_> = rows.iter().filter_map(|row| row["domain"].as_str()).collect();
    assert_eq!(domains, ["main", "aux", "auto"].repeat(5));
    assert!(rows.iter().all(|row| row["images"] == 20 && row["statistics"] == "running"));
    assert_eq!(
        (found["corruption_set"].as_str(), found["corruption_seed"].is_u64()),
        (Some("cifar-c"), true)
    );
    let missing = &found["mce_by_domain"]["aux"]["missing"];
    assert!(found["mce"]["value"].is_null());
    assert_eq!(missing[0], "gaussian_noise at severity 1, 3, 5");
    assert_eq!(missing[2], "impulse_noise");
    let said = text(&eval(&["--corruptions", "gaussian_noise", "--corruption-set", "imagenet-c"]).stdout);
    for part in
        ["domain main: top-1", "domain aux: top-1", "domain aux, 20 images each", "parameter set imagenet-c"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    let said = text(&eval(&["--corruptions", "gausian_noise"]).stderr);
    assert!(said.contains("did you mean gaussian_noise"), "{said}");
}

/// On the software adapter.
#[test]
fn attacks_and_radii_are_rows_and_so_is_their_worst_case() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    state_dict(&dir.join("plain.safetensors"), shapes_classes().len(), 1);
    let files = ["import", "plain.safetensors", "--arch", "resnet18", "--width", "0.125"];
    std::fs::write(dir.join("names.txt"), shapes_classes().join("\n")).expect("writable");
    let options = ["--classes", "names.txt", "--image-size", "16", "--out", "net.safetensors"];
    succeeds(&[files.as_slice(), &options].concat(), dir);
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--data", "shapes", "--limit", "10", "--device", "cpu"];
        dualprop(&[data.as_slice(), options].concat(), dir)
    };
    let two =
        ["--attack", "fgsm:eps=4", "--attack", "square:eps=4,queries=2", "--epsilons", "0,1,4", "--json"];
    let output = eval(&two);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one value");
    let rows = found["rows"].as_array().expect("rows");
    let attacks: Vec<_> = rows.iter().map(|row| row["attack"].as_str()).collect();
    let single = ["fgsm:eps=1", "square:eps=1,queries=2", "fgsm:eps=4", "square:eps=4,queries=2"];
    let worst = [2, 4].map(|count| format!("worst of {}", single[..count].join(" + ")));
    let expected: Vec<_> = [None]
        .into_iter()
        .chain(single.map(Some))
        .chain(worst.iter().map(|name| Some(name.as_str())))
        .collect();
    assert_eq!(attacks, expected);
    let top1 = |place: usize| rows[place]["top1"].as_f64().expect("a share");
    for (worst, members) in [(5, 1..3), (6, 1..5)] {
        assert!(members.map(top1).all(|single| top1(worst) <= single), "{rows:?}");
    }
    let said = text(&eval(&["--attack", "pgd:eps=4,step=2,iters=2,restarts=2"]).stdout);
    assert!(said.contains("restarts=2 (epsilon 4/255, running statistics)"), "{said}");
    for (options, part) in [
        (&["--epsilons", "1,2"] as &[&str], "--attack"),
        (&["--attack", "fgsm:eps=1", "--attack", "fgsm:eps=1"], "asked for twice"),
        (&["--attack", "fgsm:eps=1", "--epsilons", "1,x"], "from 0 to 255"),
        (&["--attack", "ifgsm:eps=1,restarts=2"], "draws nothing"),
    ] {
        let output = eval(options);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(part), "{options:?}: {said}");
    }
}

#[test]
fn maps_are_measured_where_the_data_knows_its_objects_and_refused_elsewhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let classes = shapes_classes();
    let names: Vec<&str> = classes.iter().map(String::as_str).collect();
    opinionated(dir, &names, "disc");
    let eval = |options: &[&str]| {
        let data = ["eval", "net.safetensors", "--limit", "20", "--device", "cpu"];
        dualprop(&[&data, options].concat(), dir)
    };
    for method in ["cam", "gradcam"] {
        let output = eval(&["--data", "shapes:val-stylized", "--localise", method, "--json"]);
        let row: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one value");
        let found = &row["localisation"];
        assert_eq!((&found["method"], &found["class"]), (&method.into(), &"label".into()), "{row}");
        for figure in ["energy", "box_iou", "pointing"] {
            let value = found[figure].as_f64().unwrap_or_else(|| panic!("{figure} in {row}"));
            assert!((0.0..=1.0).contains(&value), "{figure} in {row}");
        }
    }
    let said = text(&eval(&["--data", "shapes", "--localise", "cam"]).stdout);
    assert!(said.contains("cam of the label") && said.contains("box IoU"), "{said}");
    let plain = eval(&["--data", "shapes", "--json"]);
    let row: serde_json::Value = serde_json::from_slice(&plain.stdout).expect("one value");
    assert!(row.get("localisation").is_none(), "{row}");
    image_folder(dir, &names.iter().map(|name| (*name, 1)).collect::<Vec<_>>());
    let refused = eval(&["--data", "folder", "--path", "set", "--localise", "cam"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(said.contains("--localise: the data set folder") && said.contains("such as shapes"), "{said}");
}

#[test]
fn a_grid_of_maps_is_one_picture_with_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    opinionated(dir, &["cat", "dog"], "dog");
    image_folder(dir, &[("cat", 1), ("dog", 1)]);
    std::fs::copy(dir.join("net.safetensors"), dir.join("other.safetensors")).expect("writable");
    let grid = |out: &str, options: &[&str]| {
        let models = ["cam-grid", "net.safetensors", "other.safetensors", "--device", "cpu", "--out", out];
        let images = ["--images", "set/val/cat/0.png", "set/val/dog/0.png"];
        succeeds(&[&models, options, &images].concat(), dir)
    };
    let size = |file: &str| image::image_dimensions(dir.join(file)).expect("a picture");
    assert!(grid("clean.png", &[]).contains("2 rows"));
    let all = ["--attack", "fgsm:eps=1", "--corruption", "fog:3", "--method", "gradcam", "--domain", "all"];
    grid("all.png", &all);
    grid("again.png", &all);
    let bytes = |file: &str| std::fs::read(dir.join(file)).expect("readable");
    assert_eq!(bytes("all.png"), bytes("again.png"));
    let ((narrow, low), (wide, high)) = (size("clean.png"), size("all.png"));
    // Pictures of 32 pixels are shown at 128, with 10 between them; two columns become six.
    assert_eq!((wide - narrow, high), (4 * 138, low));
    let said =
        fails(&["cam-grid", "net.safetensors", "--images", "a.png", "--out", "net.safetensors"], 2, dir);
    assert!(said.contains("--out is net.safetensors, the file that is read"), "{said}");
}

/// The class names of the built-in set.
fn shapes_classes() -> Vec<String> {
    use dualprop::data::Dataset as _;
    use dualprop::data::shapes::{Shapes, ShapesSplit};
    Shapes::new(ShapesSplit::Val).class_names().to_vec()
}

/// On the software adapter.
#[test]
fn one_image_that_cannot_be_used_leaves_the_others_their_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    for name in ["a.png", "c.png"] {
        image::RgbImage::new(32, 32).save(dir.join(name)).expect("writable");
    }
    std::fs::write(dir.join("b.png"), b"no image").expect("writable");
    let images = ["a.png", "b.png", "c.png", "--device", "cpu"];
    let commands: [&[&str]; 4] = [
        &["predict", "net.safetensors", "--top", "1"],
        &["predict", "net.safetensors", "--json"],
        &["attack", "net.safetensors", "--out", "adversarial", "--attack", "fgsm:eps=1"],
        &["cam", "net.safetensors", "--out", "maps"],
    ];
    for arguments in commands {
        let output = dualprop(&[arguments, &images].concat(), dir);
        let (found, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(found.contains("a.png") && found.contains("c.png") && !found.contains("b.png"), "{found}");
        assert!(said.contains("b.png") && said.contains("1 of 3 images could not be used"), "{said}");
    }
    for file in ["adversarial/a.adv.png", "adversarial/c.adv.png", "maps/c.overlay.png"] {
        assert!(dir.join(file).exists(), "{file}");
    }
    assert!(!dir.join("adversarial/b.adv.png").exists());
}

/// On the software adapter.
#[test]
fn inference_is_measured_in_figures_that_agree() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let small = ["--arch", "resnet18", "--size", "33", "--set", "model.width=0.1", "--device", "cpu"];
    let bench = |own: &[&str]| dualprop(&[&["bench", "--infer"], &small[..], own].concat(), folder.path());
    let figures = |batch: &str| -> serde_json::Value {
        let output = bench(&["--batch", batch, "--steps", "2", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one value")
    };
    let [one, four] = ["1", "4"].map(figures);
    for (found, batch) in [(&one, 1.0), (&four, 4.0)] {
        let number = |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("{key} in {found}"));
        assert_eq!(number("batch_size"), batch);
        assert_eq!(number("batches"), 2.0);
        let images = number("images_per_s") * number("batch_ms") / 1e3;
        assert!((images - batch).abs() < 1e-6 * batch, "{images} images a batch of {batch}");
        assert!(number("fastest_ms") <= number("batch_ms"));
        let by_kernel: f64 =
            found["kernels"].as_array().expect("a list").iter().filter_map(|k| k["ms"].as_f64()).sum();
        assert!((by_kernel - number("gpu_ms")).abs() < 1e-3 * by_kernel, "{found}");
        assert!(number("fold_ms") < number("gpu_ms"));
    }
    // A pass over four images computes what four passes compute, but for the weights that are folded once.
    let [one, four] = [&one, &four].map(|found| found["flops"].as_f64().expect("a number"));
    assert!(four > 3.0 * one && four <= 4.0 * one, "{one} and {four} operations");

    let output = bench(&["--method", "advprop"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
