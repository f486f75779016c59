//! Every shader in every permutation parses and validates, keeps to the portable limits, and no file is unused.

use dualprop::gpu::shaders;
use dualprop::kernels::all_permutations;
use std::collections::BTreeSet;

/// Limits that every WebGPU adapter has.
const WORKGROUP_BYTES: u32 = 16 * 1024;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;

#[test]
fn every_permutation_is_valid_and_portable() {
    let mut problems = Vec::new();
    let permutations = all_permutations();
    assert!(permutations.len() > 40, "only {} permutations", permutations.len());
    for kernel in &permutations {
        if let Err(problem) = check(kernel) {
            problems.push(format!("{kernel:?}: {problem}"));
        }
    }
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), permutations.len(), problems.join("\n"));
}

fn check(kernel: &dualprop::gpu::Kernel) -> Result<(), String> {
    let text = shaders::expand(kernel).map_err(|e| e.to_string())?;
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    validator
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all());
    validator.validate(&module).map_err(|e| e.emit_to_string(&text))?;
    let [entry] = module.entry_points.as_slice() else { return Err("expected one entry point".into()) };
    if entry.name != "main" {
        return Err(format!("the entry point is called {}", entry.name));
    }
    let threads: u32 = entry.workgroup_size.iter().product();
    if threads > INVOCATIONS {
        return Err(format!("{threads} threads in a workgroup"));
    }
    let (mut shared, mut storages) = (0, 0);
    for (_, variable) in module.global_variables.iter() {
        match variable.space {
            naga::AddressSpace::WorkGroup => {
                shared += module.types[variable.ty].inner.size(module.to_ctx());
            }
            naga::AddressSpace::Storage { access } => {
                storages += 1;
                if !access.contains(naga::StorageAccess::STORE) {
                    return Err("a storage buffer is not read_write".into());
                }
            }
            _ => {}
        }
    }
    // Cooperative matrices are used where there is twice as much, and their tiles then hold f32 layers too.
    let matrices = kernel.constants.contains(&("KC", 32));
    if shared > if matrices { 2 * WORKGROUP_BYTES } else { WORKGROUP_BYTES } {
        return Err(format!("{shared} bytes of workgroup memory"));
    }
    if storages > STORAGE_BUFFERS {
        return Err(format!("{storages} storage buffers"));
    }
    Ok(())
}

#[test]
fn every_file_is_used_by_a_permutation() {
    let used: BTreeSet<&str> = all_permutations().iter().map(|k| k.shader).collect();
    let unused: Vec<&str> =
        shaders::names().filter(|name| !name.starts_with("lib/") && !used.contains(name)).collect();
    assert!(unused.is_empty(), "no kernel launches {unused:?}");
}
