//! Weights that come in and go out.

use super::{WIDTH, dualprop, fails, import, state_dict, succeeds, text};
use dualprop::interop::tensor_file::{self, Tensor};
use dualprop::models::names::expected;
use dualprop::training::checkpoint::{Checkpoint, load_tensors};

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 1);
    let mut checkpoint = Checkpoint::load(&dir.join("net.safetensors")).expect("readable");
    checkpoint.tensors.get_mut("fc.bias").expect("there").data[1] = f32::NAN;
    checkpoint.save_atomic(&dir.join("nan.safetensors")).expect("writable");
    image::RgbImage::new(8, 8).save(dir.join("x.png")).expect("writable");
    let message = fails(&["predict", "nan.safetensors", "x.png", "--device", "cpu"], 1, dir);
    assert!(
        message.contains("nan.safetensors") && message.contains("\"fc.bias\" has the value NaN"),
        "{message}"
    );
}

#[test]
fn imports_check_every_value() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let message = |name: &str, value: f32| {
        state_dict(&dir.join("odd.safetensors"), 3, 1);
        let mut tensors = load_tensors(&dir.join("odd.safetensors")).expect("readable");
        tensors.get_mut(name).expect("there").data[2] = value;
        tensor_file::write(&dir.join("odd.safetensors"), &Default::default(), &tensors, &Default::default())
            .expect("writable");
        fails(
            &[
                "import",
                "odd.safetensors",
                "--arch",
                "resnet18",
                "--width",
                "0.125",
                "--out",
                "net.safetensors",
            ],
            1,
            dir,
        )
    };
    let said = message("conv1.weight", f32::INFINITY);
    assert!(said.contains("\"conv1.weight\" has the value inf at place 2"), "{said}");
    let said = message("bn1.running_var", -0.5);
    assert!(said.contains("\"bn1.running_var\" is -0.5 at channel 2"), "{said}");
    assert!(!dir.join("net.safetensors").exists());
}

#[test]
fn a_classifier_of_another_size_is_replaced_and_names_are_unwrapped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    state_dict(&dir.join("plain.safetensors"), 3, 1);
    let wrapped = dir.join("wrapped.safetensors");
    let import = |extra: &[&str]| {
        let files =
            ["import", "wrapped.safetensors", "--arch", "resnet18", "--width", "0.125", "--out", "net"];
        dualprop(&[files.as_slice(), extra].concat(), dir)
    };
    let write = |keep: fn(&str) -> bool| {
        let tensors = load_tensors(&dir.join("plain.safetensors")).expect("readable").into_iter();
        let tensors =
            tensors.filter(|(name, _)| keep(name)).map(|(n, t)| (format!("module._orig_mod.{n}"), t));
        tensor_file::write(&wrapped, &Default::default(), &tensors.collect(), &Default::default())
            .expect("writable");
    };
    let head = || {
        let net = Checkpoint::load(&dir.join("net")).expect("readable");
        (net.meta.classes.len(), net.tensors["fc.weight"].shape[0], net.tensors["fc.bias"].data.len())
    };

    write(|_| true);
    let output = import(&[]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), head()), (Some(0), (3, 3, 3)), "{said}");
    assert!(said.contains("\"module._orig_mod.\" is taken off"), "{said}");
    let said = text(&import(&["--classes", "5"]).stderr);
    assert_eq!(head(), (5, 5, 5), "{said}");
    assert!(said.contains("fc.weight in wrapped.safetensors has 3 rows") && said.contains("fresh"), "{said}");

    write(|name| !name.starts_with("fc."));
    let said = text(&import(&["--classes", "2"]).stderr);
    assert_eq!(head(), (2, 2, 2), "{said}");
    assert!(said.contains("has no classifier") && said.contains("fresh"), "{said}");
    for (options, part) in [
        (&["--classes", "2", "--strict"] as &[&str], "--classes gives 2"),
        (&[], "--classes for a fresh one"),
        (&["--classes", "0"], "1 to 1000000"),
    ] {
        let output = import(options);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(part), "{options:?}: {said}");
    }
}

#[test]
fn a_file_tells_its_architecture_and_input_by_its_tensors_and_its_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let write = |file: &str, arch: &str, rename: fn(String) -> String| {
        let names = expected(arch, 4, WIDTH, 1.0, 1).expect("known");
        let tensor = |shape: Vec<usize>| Tensor { data: vec![0.5; shape.iter().product()], shape };
        let tensors = names.into_iter().map(|(name, shape)| (rename(name), tensor(shape)));
        tensor_file::write(&dir.join(file), &Default::default(), &tensors.collect(), &Default::default())
            .expect("writable");
    };
    let import = |file: &str| {
        let output = dualprop(&["import", file, "--width", "0.125", "--out", "net.safetensors"], dir);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        (Checkpoint::load(&dir.join("net.safetensors")).expect("readable").meta, said)
    };
    write("efficientnet_b0.ap_in1k.safetensors", "efficientnet_b0", |name| name);
    let (meta, said) = import("efficientnet_b0.ap_in1k.safetensors");
    assert_eq!((meta.arch.as_str(), meta.mean), ("efficientnet_b0", [0.5; 3]), "{said}");
    assert!(said.contains("tf_efficientnet_b0's too"), "{said}");
    write("net.bin.safetensors", "resnet34", |name| format!("module.{name}"));
    let (meta, said) = import("net.bin.safetensors");
    assert_eq!((meta.arch.as_str(), meta.mean), ("resnet34", [0.485, 0.456, 0.406]), "{said}");
    write("odd.safetensors", "resnet34", |name| name.replace("layer3", "layer9"));
    let message = fails(&["import", "odd.safetensors", "--width", "0.125", "--out", "odd"], 1, dir);
    assert!(message.contains("odd.safetensors") && message.contains("expected --arch"), "{message}");
}

/// AdvProp from another tool's weights: auxiliary domains begin as main, and frozen stages keep every bit.
#[test]
fn fine_tuning_leaves_frozen_stages_as_they_came() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    std::fs::write(dir.join("plain.toml"), "[data]\ntrain_limit = 16\n").expect("writable");
    let network =
        ["--set", "model.arch=resnet18", "--set", "model.width=0.125", "--set", "data.image_size=32"];
    let short = ["--set", "run.batch_size=4", "--set", "eval.every_epochs=0", "--device", "cpu"];
    let train = |out: &str, sets: &[&str]| {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
        succeeds(&[&["train", "plain.toml", "--out", out], network.as_slice(), &short, &sets].concat(), dir);
        load_tensors(&dir.join(out).join("last.safetensors")).expect("readable")
    };
    let start = train("start", &["method.kind=vanilla", "run.steps=1", "ema.decay=0"]);
    let from_start =
        ["run.init=start/last.safetensors", "method.kind=advprop", "run.steps=3", "ema.decay=0.5"];
    let frozen =
        |name: &str| ["conv1.", "bn1.", "layer1.", "layer2."].iter().any(|part| name.starts_with(part));
    let tuned = train("tuned", &[from_start.as_slice(), &["model.freeze=3", "model.lr_decay=0.5"]].concat());
    let mut compared = [0, 0];
    for (name, values) in &start {
        if name.starts_with("optimizer.") || name.starts_with("loop.") {
            continue;
        }
        let (layer, tensor) = name.rsplit_once('.').expect("a layer");
        let copies = [name.clone(), format!("{layer}.aux_bn.0.{tensor}"), format!("ema.{name}")];
        for copy in copies.iter().filter_map(|copy| tuned.get(copy)) {
            assert_eq!(copy.data == values.data, frozen(name), "{name}");
            compared[usize::from(frozen(name))] += 1;
        }
    }
    assert!(compared.iter().all(|count| *count > 40), "{compared:?}");
    let refused = ["train", "plain.toml", "--out", "deep", "--set", "model.freeze=6"];
    let output = dualprop(&[&refused, network.as_slice(), &short].concat(), dir);
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("model.freeze = 6"), "{said}");
    assert!(said.contains("expected 0 to 5"), "{said}");
}

#[test]
fn an_imported_state_dict_is_exported_unchanged_by_domain() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    import(dir, 2);
    let checkpoint = Checkpoint::load(&dir.join("net.safetensors")).expect("readable");
    let plain = load_tensors(&dir.join("plain.safetensors")).expect("readable");
    assert_eq!(checkpoint.tensors, plain);
    assert_eq!(checkpoint.meta.domains, ["main", "aux"]);
    assert_eq!((checkpoint.meta.classes.len(), checkpoint.meta.image_size), (3, 32));
    assert_eq!(checkpoint.config().expect("valid").model.width, WIDTH);
    for (domain, source) in [("main", "bn1.bias"), ("aux", "bn1.aux_bn.0.bias")] {
        let export = [
            "export",
            "net.safetensors",
            "--to",
            "safetensors",
            "--domain",
            domain,
            "--out",
            "model.safetensors",
        ];
        let told = succeeds(&export, dir);
        assert!(told.contains("model.safetensors") && told.contains(domain), "{told}");
        let exported = load_tensors(&dir.join("model.safetensors")).expect("readable");
        assert_eq!(exported["bn1.bias"], plain[source]);
        let names = expected("resnet18", 3, WIDTH, 1.0, 1).expect("known");
        assert_eq!(exported.len(), names.len());
        assert!(names.iter().all(|(name, shape)| exported[name].shape == *shape));
    }
    let aux2 = ["export", "net.safetensors", "--to", "safetensors", "--domain", "aux2", "--out", "z"];
    let message = fails(&aux2, 1, dir);
    assert!(message.contains("aux2") && message.contains("main, aux"), "{message}");
    let in_all = dir.join("four");
    std::fs::create_dir(&in_all).expect("writable");
    import(&in_all, 4);
    let aux3 = ["export", "net.safetensors", "--to", "safetensors", "--domain", "aux3", "--out", "z"];
    assert!(succeeds(&aux3, &in_all).contains("domain aux3"));
    let onnx =
        ["export", "net.safetensors", "--to", "onnx", "--out", "model.onnx", "--domain", "all", "--f16"];
    let told = succeeds(&onnx, dir);
    for part in
        ["model.onnx: resnet18 as ONNX", "logits, logits_aux [N, 3]", "raw weights", "off by", "onnx.md"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(dir.join("model.onnx").is_file() && dir.join("model.onnx.md").is_file());
    let message = fails(&[&onnx[..], &["--weights", "ema"]].concat(), 1, dir);
    assert!(message.contains("no moving average"), "{message}");
}

#[test]
fn an_import_names_every_tensor_that_does_not_fit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    let base =
        ["import", "odd.safetensors", "--arch", "resnet18", "--width", "0.125", "--out", "net.safetensors"];
    let import = |extra: &[&str]| fails(&[&base, extra].concat(), 1, dir);
    let change = |domains: usize, change: fn(&mut std::collections::BTreeMap<String, Tensor>)| {
        state_dict(&dir.join("odd.safetensors"), 3, domains);
        let mut tensors = load_tensors(&dir.join("odd.safetensors")).expect("readable");
        change(&mut tensors);
        tensor_file::write(&dir.join("odd.safetensors"), &Default::default(), &tensors, &Default::default())
            .expect("writable");
    };
    change(1, |t| {
        let conv = t.remove("conv1.weight").expect("there");
        t.insert("features.0.weight".into(), conv);
        t.get_mut("fc.bias").expect("there").shape = vec![3, 1];
    });
    let message = import(&[]);
    for part in
        ["odd.safetensors", "\"conv1.weight\"", "\"features.0.weight\"", "\"fc.bias\" is [3, 1]", "resnet18"]
    {
        assert!(message.contains(part), "{part} in {message}");
    }
    // Auxiliary domains: for all BN layers or none.
    change(2, |t| t.retain(|name, _| !name.starts_with("bn1.aux_bn.0")));
    let message = import(&[]);
    assert!(message.contains("4 missing") && message.contains("\"bn1.aux_bn.0.bias\""), "{message}");
    state_dict(&dir.join("odd.safetensors"), 3, 1);
    let message = import(&["--classes", "10", "--strict"]);
    assert!(message.contains("--classes gives 10") && message.contains("3 rows"), "{message}");
    std::fs::write(dir.join("names.txt"), "cat\ndog\n").expect("writable");
    let message = import(&["--classes", "names.txt", "--strict"]);
    assert!(message.contains("--classes gives 2") && message.contains("3 rows"), "{message}");
    std::fs::write(dir.join("names.txt"), "cat\n\nowl\n").expect("writable");
    let message = import(&["--classes", "names.txt"]);
    assert!(message.contains("names.txt: line 2 is empty"), "{message}");
    let message = import(&["--classes", "no.txt"]);
    assert!(message.contains("--classes: there is no file no.txt"), "{message}");
    assert!(!dir.join("net.safetensors").exists());
    std::fs::write(dir.join("names.txt"), "cat\ndog\nowl\n").expect("writable");
    succeeds(&[&base[..], &["--classes", "names.txt"]].concat(), dir);
    let named = Checkpoint::load(&dir.join("net.safetensors")).expect("readable");
    assert_eq!(named.meta.classes, ["cat", "dog", "owl"]);
}
