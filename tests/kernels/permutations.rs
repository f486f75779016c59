//! Every kernel with every combination of its constants is valid WGSL.

use dualprop::gpu::shaders;
use dualprop::kernels::all_permutations;
use std::collections::BTreeSet;

#[test]
fn every_permutation_passes_naga() {
    for kernel in all_permutations() {
        let text = shaders::expand(&kernel).unwrap_or_else(|e| panic!("{kernel:?}: {e}"));
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&text)));
        let capabilities = naga::valid::Capabilities::SUBGROUP | naga::valid::Capabilities::SHADER_FLOAT16;
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), capabilities)
            .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
            .subgroup_operations(naga::valid::SubgroupOperationSet::all())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{kernel:?}: {}", e.emit_to_string(&text)));
        assert!(module.entry_points.iter().any(|e| e.name == "main"), "{kernel:?} has no entry point main");
    }
}

#[test]
fn every_shader_file_belongs_to_a_permutation() {
    let launched: BTreeSet<&str> = all_permutations().iter().map(|k| k.shader).collect();
    let unknown: Vec<&str> =
        shaders::names().filter(|n| !n.starts_with("lib/") && !launched.contains(n)).collect();
    assert!(unknown.is_empty(), "shaders without a permutation: {unknown:?}");
}
