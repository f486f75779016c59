//! A configuration either becomes exactly the run that its file describes, or an error that names the key,
//! the line, what was expected and the nearest valid spelling.

use dualprop::config::schema::{self, Kind};
use dualprop::config::{
    AttackConfig, AttackKind, AttackLoss, AttackStatistics, AttackTarget, Augmentation, BranchConfig, Config,
    Domain, MethodKind, OptimizerKind, Place,
};
use proptest::prelude::*;
use toml::Value;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, "run.toml", &[]).map_err(|e| e.to_string())
}

fn parse_with(text: &str, sets: &[&str]) -> Result<Config, String> {
    let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
    Config::parse(text, "run.toml", &sets).map_err(|e| e.to_string())
}

/// (file, line of the fault, parts that the message must hold).
const FAULTS: &[(&str, usize, &[&str])] = &[
    // Unknown names.
    ("[run]\nseed = 1\nepoch = 3", 3, &["unknown key `run.epoch`", "`run.epochs`"]),
    ("[optimizer]\nlearning_rate = 0.1", 2, &["`optimizer.learning_rate`", "`optimizer.lr`"]),
    ("[optimizer]\nwieght_decay = 0.1", 2, &["`optimizer.weight_decay`"]),
    ("[run]\nlr = 0.1", 2, &["`run.lr`", "`optimizer.lr`"]),
    ("[method.attack]\n\n\neps = 4", 4, &["`method.attack.eps`", "`method.attack.epsilon`"]),
    ("[method.attack]\niters = 4", 2, &["`method.attack.iterations`"]),
    ("[optimiser]\nlr = 0.1", 1, &["[optimiser]", "[optimizer]"]),
    ("[method.atack]\nstep = 1", 1, &["[method.atack]", "[method.attack]"]),
    ("epochs = 3", 1, &["`epochs`", "`run.epochs`"]),
    ("run = 3", 1, &["`run` is a table", "[run]"]),
    ("[[run]]\nseed = 1", 1, &["`run` is a table"]),
    // Wrong types.
    ("[run]\nbatch_size = \"64\"", 2, &["`run.batch_size`", "the string \"64\"", "a whole number from 1"]),
    ("[run]\nbatch_size = 64.0", 2, &["`run.batch_size`", "whole number"]),
    ("[run]\nseed = true", 2, &["`run.seed`", "whole number"]),
    ("[data]\nshuffle = 1", 2, &["`data.shuffle`", "true or false"]),
    ("[data]\nmean = 0.5", 2, &["`data.mean`", "a list of 3 numbers"]),
    ("[data]\naugment = \"crop\"", 2, &["`data.augment`", "a list of any of crop, flip"]),
    ("[run]\nname = 3", 2, &["`run.name`", "a string"]),
    ("[run]\nseed = 2026-11-21", 2, &["`run.seed`"]),
    ("[run.seed]\nx = 1", 1, &["`run.seed` is a table", "whole number"]),
    // Outside the range.
    ("[run]\nbatch_size = 0", 2, &["`run.batch_size` is 0", "from 1"]),
    ("[run]\nepochs = -1.0", 2, &["`run.epochs`", "above 0"]),
    ("[run]\nepochs = nan", 2, &["`run.epochs`"]),
    ("[optimizer]\nlr = inf", 2, &["`optimizer.lr`"]),
    ("[data]\nstd = [0.5, 0.0, 0.5]", 2, &["`data.std`", "above 0"]),
    ("[data]\nmean = [0.5, 0.5]", 2, &["`data.mean`", "3 numbers"]),
    ("[data]\nimage_size = 4", 2, &["`data.image_size`", "from 8"]),
    ("[model]\nstem_stride = 3", 2, &["`model.stem_stride`", "from 1 to 2"]),
    ("[model]\ndropout = 1.0", 2, &["`model.dropout`", "below 1"]),
    ("[method.mixup]\nlambda = 1.5", 2, &["`method.mixup.lambda`"]),
    ("[method.attack]\niterations = 0", 2, &["`method.attack.iterations`"]),
    ("[method.attack]\ndecay = 1.01", 2, &["`method.attack.decay`", "from 0 to 1"]),
    ("[loss]\nlabel_smoothing = 1", 2, &["`loss.label_smoothing`"]),
    // Wrong words.
    (
        "[method]\nkind = \"advpropp\"",
        2,
        &["`method.kind`", "\"advpropp\"", "nearest valid value is \"advprop\""],
    ),
    ("[method.attack]\nkind = \"pdg\"", 2, &["nearest valid value is \"pgd\""]),
    ("[model]\narch = \"resnet-18\"", 2, &["`model.arch`", "nearest valid value is \"resnet18\""]),
    ("[data]\naugment = [\"crop\", \"filp\"]", 2, &["`data.augment`", "nearest valid value is \"flip\""]),
    ("[data]\naugment = [\"crop\", \"crop\"]", 2, &["`data.augment`", "twice"]),
    ("[eval]\nattack = \"pgd:epsilon=4\"", 2, &["`eval.attack`", "\"epsilon\"", "nearest is eps"]),
    // Combinations.
    ("[run]\nbatch_size = 64\naccumulate = 3", 3, &["`run.accumulate` is 3", "`run.batch_size` = 64"]),
    ("[data]\nsource = \"folder\"", 0, &["`data.path` is empty"]),
    ("[data]\nsource = \"cifar10\"\npath = \"\"", 3, &["`data.path` is empty"]),
    ("[data]\npath = \"x\"", 2, &["`data.path`", "shapes"]),
    ("[data]\ntrain_limit = 10", 2, &["`data.train_limit` is 10", "`run.batch_size` = 64"]),
    ("[model]\nclasses = 1", 2, &["`model.classes` is 1", "at least 2"]),
    ("[optimizer]\nnesterov = true", 2, &["`optimizer.nesterov`", "sgd"]),
    ("[optimizer]\nkind = \"sgd\"\nmomentum = 0\nnesterov = true", 4, &["`optimizer.nesterov`", "momentum"]),
    ("[schedule]\nmilestones = [3, 2]", 2, &["`schedule.milestones`", "must rise"]),
    ("[schedule]\nmilestones = []\nkind = \"step\"", 2, &["`schedule.milestones`", "at least one"]),
    (
        "[method]\nkind = \"mixprop\"\n[run]\nbatch_size = 8\naccumulate = 8",
        4,
        &["`run.batch_size`", "at least 2"],
    ),
    (
        "[data]\naugment = [\"crop\", \"inception\"]",
        2,
        &["`data.augment`", "`crop` and `inception`", "at most one"],
    ),
    ("[data]\naugment = [\"autoaugment\", \"randaugment\"]", 2, &["`autoaugment` and `randaugment`"]),
    ("[data]\npolicy = \"imagenet_v1\"", 2, &["`data.policy`", "nearest valid value is \"imagenet_v0\""]),
    ("[data]\nbalanced = true\nshuffle = false", 2, &["`data.balanced`", "`data.shuffle`"]),
    ("[run]\nname = \"a/b\"", 2, &["`run.name`", "slashes"]),
    // Of later versions.
    // No TOML.
    ("[run]\nseed = 1\nseed = 2", 3, &["not valid TOML"]),
    ("[run]\nseed = ", 2, &["not valid TOML"]),
    ("[run]\nseed = 99999999999999999999", 2, &["`run.seed`"]),
];

#[test]
fn every_fault_names_key_line_and_the_valid_spelling() {
    for (text, line, parts) in FAULTS {
        let message = match parse(text) {
            Ok(_) => panic!("no error for:\n{text}"),
            Err(message) => message,
        };
        let place = if *line == 0 { "run.toml: ".to_string() } else { format!("run.toml, line {line}: ") };
        assert!(message.starts_with(&place), "{place:?} does not begin {message:?} for:\n{text}");
        for part in *parts {
            assert!(message.contains(part), "{part:?} is not in {message:?} for:\n{text}");
        }
        assert!(!message.contains('\n'), "more than one line: {message}");
    }
}

#[test]
fn an_empty_file_is_the_default_configuration() {
    assert_eq!(parse("").expect("valid"), Config::default());
}

#[test]
fn the_example_of_the_contract_is_read_key_by_key() {
    let text = r#"
        [run]
        name = "advprop-b0"
        steps = 100
        batch_size = 32
        accumulate = 2
        [data]
        augment = []
        mean = [0, 0.25, 1]
        [method]
        kind = "adversarial_mix"
        [method.attack]
        kind = "ifgsm"
        epsilon = 4
        iterations = 7
        target = "random_wrong"
        bn_stats = "running"
        loss = "cross_entropy"
        [schedule]
        milestones = [1, 2.5]
    "#;
    let config = parse(text).expect("valid");
    assert_eq!(config.run.steps, Some(100));
    assert_eq!((config.run.batch_size, config.run.accumulate), (32, 2));
    assert_eq!(config.data.augment, Vec::<Augmentation>::new());
    assert_eq!(config.data.mean, [0.0, 0.25, 1.0]);
    assert_eq!(config.method.kind, MethodKind::AdversarialMix);
    let attack = &config.method.attack;
    assert_eq!((attack.kind, attack.epsilon, attack.iterations), (AttackKind::Ifgsm, 4.0, Some(7)));
    assert_eq!(attack.target, AttackTarget::RandomWrong);
    assert_eq!((attack.bn_stats, attack.loss), (AttackStatistics::Running, AttackLoss::CrossEntropy));
    assert_eq!(config.schedule.milestones, [1.0, 2.5]);
    // What the file does not name keeps its default.
    assert_eq!(config.optimizer, Config::default().optimizer);
}

#[test]
fn absent_keys_take_the_defaults_of_their_kind() {
    let optimizer = |text: &str| {
        let o = parse(text).expect("valid").optimizer;
        [o.momentum, o.decay, o.eps, o.weight_decay]
    };
    assert_eq!(optimizer("[optimizer]\nkind = \"rmsprop\""), [0.9, 0.9, 0.001, 1e-5]);
    let sgd = optimizer("[optimizer]\nkind = \"sgd\"");
    assert_eq!((sgd[0], sgd[3]), (0.9, 5e-4));
    assert_eq!(optimizer("[optimizer]\nkind = \"adamw\""), [0.9, 0.999, 1e-8, 0.05]);
    assert_eq!(optimizer("[optimizer]\nkind = \"adamw\"\ndecay = 0.99"), [0.9, 0.99, 1e-8, 0.05]);
    assert_eq!(parse("[schedule]\nkind = \"step\"").expect("valid").schedule.decay_rate, 0.1);
    assert_eq!(parse("[schedule]\nkind = \"cosine\"").expect("valid").schedule.decay_rate, 0.97);
    let text = "[schedule]\nkind = \"step\"\ndecay_rate = 0.2";
    assert_eq!(parse(text).expect("valid").schedule.decay_rate, 0.2);
    // A kind given on the command line decides as one in the file does.
    let config = parse_with("[optimizer]\nlr = 0.1", &["optimizer.kind=sgd"]).expect("valid");
    assert_eq!((config.optimizer.kind, config.optimizer.weight_decay), (OptimizerKind::Sgd, 5e-4));
}

#[test]
fn set_overrides_take_toml_values_and_bare_words() {
    let sets = [
        "run.name=night run",
        "run.steps=7",
        "optimizer.lr=1",
        "data.shuffle=false",
        "data.augment=[\"flip\"]",
        "data.mean=[0.1, 0.2, 0.3]",
        "method.kind=vanilla",
        "eval.attack=pgd:eps=2,step=1,iters=3",
        "method.attack.kind = \"fgsm\"",
    ];
    let config = parse_with("[run]\nsteps = 3\nname = \"x\"", &sets).expect("valid");
    assert_eq!((config.run.name.as_str(), config.run.steps), ("night run", Some(7)));
    assert_eq!(config.optimizer.lr, 1.0);
    assert!(!config.data.shuffle);
    assert_eq!(config.data.augment, [Augmentation::Flip]);
    assert_eq!(config.data.mean, [0.1, 0.2, 0.3]);
    assert_eq!(config.method.kind, MethodKind::Vanilla);
    assert_eq!(config.eval.attack, "pgd:eps=2,step=1,iters=3");
    assert_eq!(config.method.attack.kind, AttackKind::Fgsm);
    let words = |set: &str| parse_with("", &[set]).expect("valid").data.augment;
    assert_eq!(words("data.augment=crop,flip"), [Augmentation::Crop, Augmentation::Flip]);
    assert_eq!(words("data.augment=[flip]"), [Augmentation::Flip]);
    assert_eq!(words("data.augment=[]"), []);
    assert_eq!(parse_with("", &["run.name=123"]).expect("valid").run.name, "123");
}

#[test]
fn wrong_overrides_name_themselves() {
    let cases: [(&str, &[&str]); 6] = [
        ("run.epoch=3", &["--set run.epoch=3", "`run.epochs`"]),
        ("run.steps=many", &["--set run.steps=many", "`run.steps`", "whole number"]),
        ("run.steps", &["--set run.steps", "key=value"]),
        ("run=3", &["--set run=3", "is a table"]),
        ("run.accumulate=3", &["--set run.accumulate=3", "does not divide"]),
        ("method.kind=mixpropp", &["--set", "\"mixprop\""]),
    ];
    for (set, parts) in cases {
        let message = parse_with("", &[set]).expect_err("wrong");
        assert!(parts.iter().all(|p| message.contains(p)), "{message}");
    }
    // The file's fault keeps its own place beside a good override.
    let error = Config::parse("[run]\nepoch = 1", "run.toml", &["run.seed=1".into()]).expect_err("wrong");
    assert_eq!(error.place, Place::Line { file: "run.toml".into(), line: 2 });
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let load = |name: &str| Config::load(&folder.path().join(name), &[]).expect_err("unreadable").to_string();
    assert!(load("missing.toml").starts_with("there is no file"), "{}", load("missing.toml"));
    assert!(load("missing.toml").contains("missing.toml"), "{}", load("missing.toml"));
    assert!(load("").contains("folder"), "{}", load(""));
    std::fs::write(folder.path().join("binary"), [0xff, 0xfe]).expect("writable");
    assert!(load("binary").contains("UTF-8"), "{}", load("binary"));
    std::fs::write(folder.path().join("big"), vec![b'#'; 2 << 20]).expect("writable");
    assert!(load("big").contains("no configuration"), "{}", load("big"));
}

#[test]
fn the_resolved_file_holds_every_key_and_reads_back_equal() {
    let mut config = Config::default();
    config.run.steps = Some(12);
    config.method.mixup.lambda = Some(0.3);
    config.method.attack.iterations = Some(2);
    config.method.attack.kind = AttackKind::Mifgsm;
    config.method.attack.decay = 0.9;
    config.data.mean = [0.1, 0.485, 0.3];
    config.model.dropout = 0.1;
    config.run.name = "with \"quotes\" and \\ é".into();
    for config in [Config::default(), config] {
        let text = config.resolved_toml();
        for field in schema::fields() {
            assert!(text.contains(field.key()), "{} is missing", field.path);
        }
        let name_free = |mut c: Config| {
            // A name with a backslash is refused as a folder, so only its text form is looked at here.
            c.run.name = "x".into();
            c
        };
        let read = Config::parse(&name_free(config.clone()).resolved_toml(), "resolved", &[]).expect("valid");
        assert_eq!(read, name_free(config.clone()));
        let table: toml::Table = text.parse().expect("valid TOML");
        assert_eq!(table["run"]["name"].as_str(), Some(config.run.name.as_str()));
        assert!(!text.contains("00000149"), "f32 values are written by their shortest decimal:\n{text}");
    }
}

#[test]
fn the_schema_and_the_structure_have_the_same_keys() {
    fn leaves(table: &toml::Table, prefix: &str, found: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) => leaves(inner, &format!("{prefix}{key}."), found),
                _ => found.push(format!("{prefix}{key}")),
            }
        }
    }
    let mut config = Config::default();
    config.run.steps = Some(1);
    config.model.bn_momentum = Some(0.5);
    config.method.mixup.lambda = Some(0.5);
    config.method.attack.iterations = Some(1);
    config.method.attack.through = Some(Domain::Main);
    config.method.adversarial_epochs = Some(1.0);
    config.method.branch = vec![BranchConfig::default()];
    let mut structure = Vec::new();
    leaves(&config.to_table(), "", &mut structure);
    let mut table: Vec<String> = schema::fields().iter().map(|f| f.path.to_string()).collect();
    structure.sort();
    table.sort();
    assert_eq!(structure, table);
    for field in schema::fields() {
        assert_eq!(field.default_value().is_none(), field.optional, "{}", field.path);
        assert!(field.help.ends_with('.') && !field.source.is_empty(), "{}", field.path);
    }
    assert!(schema::fields().iter().filter(|f| f.basic).count() > 10);
    let reference = schema::reference();
    assert!(schema::fields().iter().all(|f| reference.contains(f.help)));
}

#[test]
fn keys_are_set_and_read_by_path() {
    let mut config = Config::default();
    config.set("optimizer.lr", Value::Integer(1)).expect("a number");
    assert_eq!(config.get("optimizer.lr"), Some(Value::Float(1.0)));
    assert_eq!(config.get("run.steps"), None);
    config.set("run.steps", Value::Integer(5)).expect("a number");
    assert_eq!(config.run.steps, Some(5));
    config.clear("run.steps").expect("optional");
    assert_eq!(config.run.steps, None);
    assert!(config.clear("run.seed").expect_err("not optional").message.contains("run.seed"));
    let before = config.clone();
    let error = config.set("optimizer.lr", Value::String("fast".into())).expect_err("a word");
    assert!(error.message.contains("optimizer.lr"), "{error}");
    assert_eq!(config, before, "a refused value changes nothing");
    // Untouched companions follow the kind, touched ones stay.
    config.set("optimizer.weight_decay", Value::Float(1e-4)).expect("a number");
    config.set("optimizer.kind", Value::String("adamw".into())).expect("a kind");
    assert_eq!((config.optimizer.decay, config.optimizer.eps), (0.999, 1e-8));
    assert_eq!(config.optimizer.weight_decay, 1e-4);
}

#[test]
fn attack_specs_are_read_with_the_rules_of_their_kind() {
    let parse = |spec: &str| AttackConfig::parse_spec(spec).expect("valid");
    let pgd = parse("pgd:eps=4,step=1,iters=5");
    assert_eq!((pgd.epsilon, pgd.step_size(), pgd.iterations()), (4.0, 1.0, 5));
    assert!(pgd.starts_from_noise() && pgd.projects());
    assert_eq!((pgd.bn_stats, pgd.loss), (AttackStatistics::Running, AttackLoss::CrossEntropy));
    // AdvProp's rule: floor(eps)+1, and 1 up to 1.
    for (eps, iterations) in [("0.5", 1), ("1", 1), ("1.5", 2), ("2", 3), ("4", 5), ("4.9", 5)] {
        assert_eq!(parse(&format!("pgd:eps={eps}")).iterations(), iterations, "eps {eps}");
    }
    let fgsm = parse("fgsm:eps=2,step=9,iters=9");
    assert_eq!((fgsm.iterations(), fgsm.step_size(), fgsm.starts_from_noise()), (1, 2.0, false));
    let ifgsm = parse("ifgsm:eps=3,step=0.5");
    assert_eq!((ifgsm.iterations(), ifgsm.step_size(), ifgsm.starts_from_noise()), (4, 0.5, false));
    let gd = parse("gd:eps=4");
    assert!(gd.starts_from_noise() && !gd.projects());
    assert!(!parse("gd:eps=4,start=off").starts_from_noise());
    let mifgsm = parse("mifgsm:eps=4,step=1,iters=5,decay=1");
    assert_eq!(mifgsm.spec(), "mifgsm:eps=4,step=1,iters=5,decay=1");
    assert_eq!(mifgsm.spec(), parse("mifgsm:eps=4").spec(), "all of it is the default");
    assert!(mifgsm.has_momentum() && mifgsm.projects() && !mifgsm.starts_from_noise());
    assert!(!parse("mifgsm:eps=4,start=on").starts_from_noise());
    assert!(!pgd.has_momentum() && !ifgsm.has_momentum());
    assert_eq!([parse("mifgsm:decay=0").decay, parse("mifgsm:decay=0.25").decay], [0.0, 0.25]);
    for (wrong, part) in [
        ("pdg:eps=4", "nearest is pgd"),
        ("pgd:esp=4", "nearest is eps"),
        ("pgd:eps", "no value"),
        ("pgd:eps=-1", "0 to 255"),
        ("pgd:eps=nan", "0 to 255"),
        ("pgd:eps=1,eps=2", "twice"),
        ("pgd:iters=0", "whole number"),
        ("pgd:iters=2.5", "whole number"),
        ("pgd:start=maybe", "on or off"),
        ("mifgsm:decay=1.5", "0 to 1"),
        ("mifgsm:decay=nan", "0 to 1"),
        ("mifgsm:dekay=1", "nearest is decay"),
        ("", "expected one of pgd"),
    ] {
        let message = AttackConfig::parse_spec(wrong).expect_err("wrong");
        assert!(message.contains(part), "{message} for {wrong}");
    }
}

/// Branches of every source, with that share.
fn branches_value(share: f64) -> Value {
    let sources = ["clean", "attack", "mixup", "cutmix", "corrupted"];
    let table = |source: &str| format!("source = \"{source}\"\ndomain = \"aux\"\nshare = {share}");
    let main = "source = \"clean\"".to_owned();
    let tables = sources.iter().map(|source| table(source)).chain([main]);
    Value::Array(tables.map(|t| Value::Table(t.parse().expect("TOML"))).collect())
}

#[test]
fn a_corrupted_branch_draws_from_lists_that_are_checked() {
    let own = "[[method.branch]]\nsource = \"corrupted\"\n[method.corrupted]\n";
    let read = |lists: &str| Config::parse(&format!("{own}{lists}"), "own.toml", &[]);
    let all = read("").expect("valid").method.corrupted;
    assert_eq!((all.corruptions().len(), &all.severity[..]), (19, &[1, 2, 3, 4, 5][..]));
    let some = read("corruptions = [\"fog\", \"gaussian_noise\"]\nseverity = [3, 5]").expect("valid");
    let names: Vec<_> = some.method.corrupted.corruptions().into_iter().map(|c| c.name()).collect();
    assert_eq!((names, &some.method.corrupted.severity[..]), (vec!["gaussian_noise", "fog"], &[3, 5][..]));
    assert_eq!(Config::parse(&some.resolved_toml(), "x", &[]).expect("its own text"), some);
    for (wrong, part) in [
        ("corruptions = []", "`method.corrupted.corruptions` is empty"),
        ("severity = []", "`method.corrupted.severity` is empty"),
        ("corruptions = [\"fogg\"]", "fog"),
        ("severity = [6]", "whole numbers from 1 to 5"),
        ("severity = [2, 2]", "different whole numbers"),
        ("severity = [1.5]", "whole numbers from 1 to 5"),
    ] {
        let fault = read(wrong).and_then(|config| config.validate()).expect_err("a wrong list").to_string();
        assert!(fault.contains(part), "{fault} for {wrong}");
    }
}

#[test]
fn a_users_method_is_a_list_of_branches() {
    let text = "[method.attack]\nepsilon = 2\n[[method.branch]]\nsource = \"clean\"\n\n[[method.branch]]\n\
                source = \"attack\"\ndomain = \"aux\"\nweight = 0.5\nshare = 0.25\n";
    let config = Config::parse(text, "own.toml", &[]).expect("valid");
    assert_eq!(config.method.branch.len(), 2);
    assert_eq!(config.method.branch[1].domain, dualprop::config::Domain::Aux);
    assert_eq!(Config::parse(&config.resolved_toml(), "x", &[]).expect("its own text"), config);
    let set = "method.branch=[{source = \"mixup\", share = 0.5}]".to_owned();
    assert_eq!(Config::parse("", "x", &[set]).expect("valid").method.branch[0].share, 0.5);

    let fault = |text: &str| Config::parse(text, "own.toml", &[]).expect_err("a fault").to_string();
    let branch = |keys: &str| format!("[[method.branch]]\nsource = \"clean\"\n{keys}\n");
    let message = fault(&branch("domian = \"aux\""));
    assert!(message.starts_with("own.toml, line 3: unknown key `method.branch.domian`"), "{message}");
    let message = fault(&branch("domain = \"auxiliary\""));
    assert!(message.contains("line 3") && message.contains("\"aux\""), "{message}");
    assert!(fault(&branch("share = 0")).contains("line 3"));
    assert!(fault(&branch("domain = \"aux\"")).contains("uses the domain aux but not main"));
    assert!(fault(&branch("weight = 0")).contains("expected one above 0"));
    assert!(fault(&branch("share = 0.001")).contains("larger share or batch"));
    assert!(fault("[[method.branch]]\nsource = \"augmented\"\n").contains("`data.augment` names no policy"));
    assert!(fault("[method]\nbranch = 3\n").contains("[[method.branch]]"));
    assert!(fault(&branch("").repeat(9)).contains("at most 8"));
    assert!(fault("[method]\nkind = \"mixup\"\nattack.through = \"aux\"\n").contains("through"));
}

#[test]
fn a_key_of_an_earlier_version_gets_a_sentence_and_the_run_goes_on() {
    let text = "[run]\nseed = 3\ndeterministic = false\n";
    let (config, warnings) =
        Config::parse_warning(text, "old.toml", &[]).expect("it is read without the key");
    assert_eq!(config.run.seed, 3);
    let [sentence] = &warnings[..] else { panic!("one sentence, not {warnings:?}") };
    assert!(sentence.starts_with("old.toml, line 3: `run.deterministic` is no longer a key"), "{sentence}");
    assert_eq!(Config::parse(text, "old.toml", &[]).expect("also in silence"), config);
    assert!(!config.resolved_toml().contains("deterministic"));

    let set = "run.deterministic=true".to_owned();
    let (config, warnings) =
        Config::parse_warning("", "new.toml", &[set]).expect("it is read without the key");
    assert_eq!(config, Config::default());
    assert!(warnings.len() == 1 && warnings[0].starts_with("--set run.deterministic=true: "), "{warnings:?}");
    // A word that was never a key stays a fault.
    assert!(parse("[data]\ndeterministic = true").is_err());
}

#[test]
fn what_is_set_last_counts_and_what_has_no_effect_is_said() {
    let of = |text: &str, sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        Config::parse_warning(text, "a.toml", &sets).expect("valid")
    };
    let steps = "[run]\nsteps = 700\n";
    let (config, warnings) = of(steps, &["run.epochs=1"]);
    assert_eq!((config.run.steps, config.run.epochs), (None, 1.0));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(of(steps, &["run.epochs=1", "run.steps=9"]).0.run.steps, Some(9));
    assert_eq!(of(steps, &["run.steps=9", "run.epochs=1"]).0.run.steps, None);
    let (config, warnings) = of("[run]\nsteps = 700\nepochs = 3.0\n", &[]);
    assert_eq!(config.run.steps, Some(700));
    assert_eq!(
        warnings,
        ["a.toml, line 3: `run.epochs` has no effect beside `run.steps`; delete one of the two"]
    );
    assert!(of("[run]\nepochs = 3.0\n", &["run.steps=9"]).1.is_empty(), "meant so");
    // A resolved configuration has every key.
    assert!(of(&of(steps, &[]).0.resolved_toml(), &[]).1.is_empty());

    let own = "[method]\nkind = \"mixprop\"\n[[method.branch]]\nsource = \"clean\"\n";
    assert!(of(own, &[]).1[0].contains("`method.kind` has no effect beside `method.branch`"));
    let (config, warnings) = of(own, &["method.kind=advprop"]);
    assert!(config.method.branch.is_empty() && warnings.is_empty(), "{warnings:?}");

    let shares = "[[method.branch]]\nsource = \"clean\"\nshare = 0.75\n[[method.branch]]\nsource = \"attack\"\nshare = 0.5\n";
    let (_, warnings) = of(shares, &[]);
    assert!(warnings.len() == 1 && warnings[0].contains("sum to 1.25"), "{warnings:?}");

    let (_, warnings) =
        of("[method.attack]\nepsilon = 0.0314\n[eval]\nattack = \"pgd:eps=0.03,step=0.01\"\n", &[]);
    assert!(
        warnings[0].contains("`method.attack.epsilon`") && warnings[0].contains("is eps = 8"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("`eval.attack`") && warnings[1].contains("half a grey level"),
        "{warnings:?}"
    );
}

#[test]
fn windows_paths_get_a_hint() {
    for text in
        ["[data]\npath = \"C:\\Users\\me\"", "[data]\npath = \"D:\\new\"", "[run]\ninit = \"E:\\tiny\""]
    {
        let fault = parse(text).expect_err("an escape").to_string();
        assert!(fault.contains("write a Windows path as \"C:/photos\" or 'C:\\photos'"), "{fault}");
        assert!(fault.contains("line 2") && !fault.contains(char::is_control), "{fault}");
    }
    let config =
        parse("[data]\nsource = \"folder\"\npath = 'C:\\Users\\me'").expect("no escapes in single quotes");
    assert_eq!(config.data.path, "C:\\Users\\me");
}

#[test]
fn fast_advprop_refuses_attacks_that_cannot_train() {
    let fault = |key: &str| {
        let text = format!("[method]\nkind = \"fast_advprop\"\nattack.{key}\n");
        Config::parse(&text, "x", &[]).expect_err("a fault").to_string()
    };
    assert!(Config::parse("[method]\nkind = \"fast_advprop\"\n", "x", &[]).is_ok());
    for (key, expected) in [
        ("iterations = 2", "`method.attack.iterations` = 1"),
        ("target = \"random_wrong\"", "`method.attack.target` = \"none\""),
        ("bn_stats = \"running\"", "`method.attack.bn_stats` = \"batch\""),
        ("through = \"main\"", "`method.attack.through` = \"aux\""),
        ("loss = \"cross_entropy\"\n[loss]\nlabel_smoothing = 0.1", "`method.attack.loss` = \"training\""),
        ("epsilon = 1.0\naux_weight = 0.5", "`method.aux_weight` = 1"),
    ] {
        assert!(fault(key).contains(expected), "{}", fault(key));
    }
}

proptest! {
    #[test]
    fn specs_print_as_what_reads_back(kind in 0..5_usize, eps in 0_u32..1020, step in 0_u32..1020, iters in prop::option::of(1..50_u32), start: bool, targeted: bool, decay in 0.0..=1.0_f32) {
        let kind =
            [AttackKind::Pgd, AttackKind::Ifgsm, AttackKind::Gd, AttackKind::Fgsm, AttackKind::Mifgsm][kind];
        let attack = AttackConfig {
            kind,
            epsilon: eps as f32 / 4.0,
            step: step as f32 / 4.0,
            iterations: iters,
            random_start: start,
            target: if targeted { AttackTarget::RandomWrong } else { AttackTarget::None },
            decay,
            ..AttackConfig::default()
        };
        let read = AttackConfig::parse_spec(&attack.spec()).expect("its own text");
        prop_assert_eq!(read.spec(), attack.spec());
        prop_assert_eq!(read.kind, attack.kind);
        prop_assert_eq!(read.epsilon, attack.epsilon);
        prop_assert_eq!(read.step_size(), attack.step_size());
        prop_assert_eq!(read.iterations(), attack.iterations());
        prop_assert_eq!(read.starts_from_noise(), attack.starts_from_noise());
        prop_assert_eq!(read.target, attack.target);
        prop_assert_eq!(read.decay, if attack.has_momentum() { decay } else { 1.0 });
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}", set in "\\PC{0,20}") {
        let _ = Config::parse(&text, "x", &[]);
        let _ = Config::parse("", "x", std::slice::from_ref(&set));
        let _ = AttackConfig::parse_spec(&text);
        let field = schema::fields()[text.len() % schema::fields().len()];
        let _ = Config::parse(&format!("[{}]\n{} = {text}", field.section(), field.key()), "x", &[]);
        let _ = Config::parse("", "x", &[format!("{}={text}", field.path)]);
    }

    #[test]
    fn every_valid_value_of_a_key_survives_the_file(index in 0..schema::fields().len(), seed in 0.0..1.0_f64) {
        let field = schema::fields()[index];
        let value = match field.kind {
            Kind::Flag => Value::Boolean(seed < 0.5),
            Kind::Integer { min, max } => Value::Integer(min + ((max.min(1 << 40) - min) as f64 * seed) as i64),
            Kind::Number(range) => Value::Float(range.min + (range.max - range.min).min(1.0) * seed * 0.99 + 1e-3),
            Kind::Choice(c) => Value::String(c[(seed * c.len() as f64) as usize].into()),
            Kind::ChoiceList(c) => Value::Array(vec![Value::String(c[(seed * c.len() as f64) as usize].into())]),
            Kind::NumberList { length, .. } => Value::Array(vec![Value::Float(seed + 1e-3); length.unwrap_or(1)]),
            Kind::IntegerList { min, .. } => Value::Array(vec![Value::Integer(min)]),
            Kind::Text | Kind::Path => Value::String(format!("x{seed}")),
            Kind::AttackSpec => Value::String(format!("pgd:eps={seed}")),
            Kind::Branches => branches_value(seed),
        };
        let mut config = Config::default();
        if config.set(field.path, value).is_ok() && config.validate().is_ok() {
            let read = Config::parse(&config.resolved_toml(), "x", &[]);
            prop_assert_eq!(read.expect("its own text"), config);
        }
    }
}
