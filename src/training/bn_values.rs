//! How many values a batch norm has to normalise: a lone one has no variance, so that its output is the shift
//! whatever the image, and the running variance falls to 0.

use super::method::{Phase, Source};
use crate::config::{AttackStatistics, Domain};
use crate::graph::{Network, NodeId, Op, PassSegment, Statistics};

/// Fails where a step of some phase would normalise one value a channel by the batch's statistics; the error
/// names the layer and what helps.
pub fn check(network: &Network, phases: &[Phase]) -> anyhow::Result<()> {
    let fewest = phases.iter().flat_map(segments).min_by_key(|segment| segment.images);
    let Some(PassSegment { images, domain }) = fewest else { return Ok(()) };
    for (index, node) in network.nodes.iter().enumerate() {
        let Op::BatchNorm { layer, .. } = node.op else { continue };
        if network.statistics(NodeId(index), Statistics::Batch) == Statistics::Running {
            continue;
        }
        let (height, width) = (node.shape.height, node.shape.width);
        anyhow::ensure!(
            images * height * width > 1,
            "batch norm {} has one value a channel to normalise in the domain {} ({images} image of {height} × \
             {width}), which has no variance; expected two or more: a larger run.batch_size or share of the \
             branch, a smaller run.accumulate, a larger data.image_size or model.stem_stride = 1",
            network.layout.bn[layer].name,
            Domain::name_of(domain)
        );
    }
    Ok(())
}

/// The images of a micro-batch that share statistics, in training and in its attacks.
fn segments(phase: &Phase) -> Vec<PassSegment> {
    let mut made: Vec<PassSegment> = Vec::new();
    for branch in &phase.method.branches {
        let images = branch.images.len();
        match made.last_mut() {
            Some(last) if last.domain == branch.domain => last.images += images,
            _ => made.push(PassSegment { images, domain: branch.domain }),
        }
    }
    let attacks = phase.method.branches.iter().filter_map(|branch| match &branch.source {
        Source::Attack { config, through }
            if config.bn_stats == AttackStatistics::Batch || phase.method.recycle =>
        {
            Some(PassSegment { images: branch.images.len(), domain: *through })
        }
        _ => None,
    });
    made.extend(attacks);
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::models::{ModelOptions, build};
    use crate::training::method::{domains, phases};

    fn checked(sets: &[&str]) -> Result<(), String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let config = Config::parse("[model]\nwidth = 0.1\ndepth = 0.3\n", "test", &sets).unwrap();
        let options =
            ModelOptions::from_config(&config.model, config.data.image_size, 10, domains(&config.method));
        let network = build(&config.model.arch, &options).unwrap();
        let images = config.run.batch_size / config.run.accumulate;
        check(&network, &phases(&config.method, images, 10, 100)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_layer_with_one_value_a_channel_is_named() {
        // 32 pixels end as 1 × 1 features.
        let advprop = ["run.batch_size=4", "run.accumulate=4", "method.kind=advprop"];
        let error = checked(&advprop).unwrap_err();
        for part in ["blocks.5.0.bn", "1 image of 1 × 1", "domain main", "run.accumulate", "stem_stride"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(checked(&[&advprop[..], &["run.accumulate=2"]].concat()), Ok(()));
        assert_eq!(checked(&[&advprop[..], &["model.stem_stride=1"]].concat()), Ok(()));
        assert_eq!(checked(&[&advprop[..], &["model.freeze=9"]].concat()), Ok(()), "running statistics");
    }

    /// Clean and attacked images of one domain are normalised together, but the attack sees its own alone.
    #[test]
    fn attacks_have_values_of_their_own() {
        let mix = ["run.batch_size=1", "method.kind=adversarial_mix"];
        assert!(checked(&mix).unwrap_err().contains("one value"));
        assert_eq!(checked(&[&mix[..], &["method.attack.bn_stats=running"]].concat()), Ok(()));
        let own =
            "method.branch=[{source = \"clean\"}, {source = \"mixup\", domain = \"aux\", share = 0.25}]";
        let error = checked(&["run.batch_size=4", own]).unwrap_err();
        assert!(error.contains("domain aux"), "{error}");
    }
}
