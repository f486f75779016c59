//! Every shader in every permutation parses and validates, keeps to the portable limits, has the parameters
//! and tensors that its launches hand to it, and goes through every back end's writer; no file is unused.

mod launches;

use dualprop::gpu::{FieldKind, Kernel, MATRIX, ParamField, Params, StepUniform, shaders};
use dualprop::kernels::{Permutation, all_permutations};
use naga::back::{hlsl, msl, spv};
use naga::valid::ModuleInfo;
use naga::{AddressSpace, Handle, Module, Scalar, ScalarKind, ShaderStage, StructMember, Type, TypeInner};
use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Limits that every WebGPU adapter has.
const WORKGROUP_BYTES: u32 = 16 * 1024;
const INVOCATIONS: u32 = 256;
const STORAGE_BUFFERS: usize = 8;

/// Bytes of numbers that a launch may carry.
const PARAMS_BYTES: u32 = 256;

/// Runs `check` on each of `permutations`, on as many threads as there are cores, and fails with all that it
/// finds.
fn each(permutations: &[Permutation], check: impl Fn(&Permutation) -> Result<(), String> + Sync) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut problems = Vec::new();
        while let Some(permutation) = permutations.get(next.fetch_add(1, Ordering::Relaxed)) {
            problems.extend(check(permutation).err().map(|why| format!("{:?}: {why}", permutation.kernel)));
        }
        problems
    };
    let problems: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), permutations.len(), problems.join("\n"));
}

/// The kernel's module, validated.
fn module(kernel: &Kernel) -> Result<(Module, ModuleInfo), String> {
    let text = shaders::expand(kernel).map_err(|e| e.to_string())?;
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    validator
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all());
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(&text))?;
    Ok((module, info))
}

#[test]
fn every_permutation_is_valid_portable_what_its_launches_expect_and_fit_for_every_back_end() {
    each(&all_permutations(), |permutation| {
        let (module, info) = module(&permutation.kernel)?;
        portable(permutation, &module)?;
        same_params(permutation, &module)?;
        same_step(&module)?;
        same_bindings(permutation, &module)?;
        vulkan(permutation, &module, &info)?;
        direct3d(permutation, &module, &info)?;
        metal(&module, &info)
    });
}

/// Writes the texts of all shaders to the file that DUALPROP_WGSL names, as a JSON list of (kernel, WGSL).
#[test]
#[ignore = "scripts/test-tint hands what it writes to a browser"]
fn every_text_is_written_for_another_compiler() {
    let path = std::env::var_os("DUALPROP_WGSL").expect("DUALPROP_WGSL names the file");
    let portable = all_permutations().into_iter().filter(|permutation| !has_matrices(permutation));
    let texts: Vec<(String, String)> = portable
        .map(|permutation| {
            let text = shaders::expand(&permutation.kernel).expect("it expands");
            (format!("{:?}", permutation.kernel), text)
        })
        .collect();
    std::fs::write(path, serde_json::to_vec(&texts).expect("texts make JSON")).expect("writable");
}

/// Kernels with cooperative matrices are left out where a back end or tool does not know them.
fn has_matrices(permutation: &Permutation) -> bool {
    permutation.kernel.constants.is_set(MATRIX)
}

/// SPIR-V as wgpu asks naga for it on Vulkan, held to the specification by spirv-val.
fn vulkan(permutation: &Permutation, module: &Module, info: &ModuleInfo) -> Result<(), String> {
    // SPIR-V 1.4 is where subgroup operations and workgroup memory of f16 are all known.
    let options = spv::Options {
        lang_version: (1, 4),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..spv::Options::default()
    };
    let entry = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".to_owned() };
    let words = spv::write_vec(module, info, &options, Some(&entry)).map_err(|e| format!("SPIR-V: {e}"))?;
    // Debian 12's spirv-val is older than SPV_KHR_cooperative_matrix.
    if has_matrices(permutation) {
        return Ok(());
    }
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    spirv_val(&bytes)
}

fn spirv_val(bytes: &[u8]) -> Result<(), String> {
    let mut child = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.2", "--uniform-buffer-standard-layout", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("spirv-val does not run ({e}): install Debian's package spirv-tools"))?;
    let mut input = child.stdin.take().ok_or("spirv-val takes no input")?;
    let written = input.write_all(bytes);
    drop(input);
    let output = child.wait_with_output().map_err(|e| format!("spirv-val: {e}"))?;
    if output.status.success() {
        return written.map_err(|e| format!("spirv-val: {e}"));
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("spirv-val: {}", String::from_utf8_lossy(&said)))
}

/// HLSL of shader model 6.6, which has subgroups and f16.
fn direct3d(permutation: &Permutation, module: &Module, info: &ModuleInfo) -> Result<(), String> {
    // naga has no cooperative matrices for HLSL, whose shader model 6.9 was the first to know them.
    if has_matrices(permutation) {
        return Ok(());
    }
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_6,
        zero_initialize_workgroup_memory: false,
        ..hlsl::Options::default()
    };
    let (mut text, entry) = (String::new(), hlsl::PipelineOptions::default());
    let written = hlsl::Writer::new(&mut text, &options, &entry).write(module, info, None);
    written
        .map_err(|e| format!("HLSL: {e}"))?
        .entry_point_names
        .into_iter()
        .try_for_each(|name| name.map(|_| ()).map_err(|e| format!("HLSL: {e}")))
}

/// Metal's shading language 2.4, which has subgroups and `simdgroup_matrix`.
fn metal(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let options = msl::Options {
        lang_version: (2, 4),
        zero_initialize_workgroup_memory: false,
        ..msl::Options::default()
    };
    let (_, translation) = msl::write_string(module, info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("MSL: {e}"))?;
    translation
        .entry_point_names
        .into_iter()
        .try_for_each(|name| name.map(|_| ()).map_err(|e| format!("MSL: {e}")))
}

fn portable(permutation: &Permutation, module: &Module) -> Result<(), String> {
    let [entry] = module.entry_points.as_slice() else { return Err("expected one entry point".into()) };
    if entry.name != "main" {
        return Err(format!("the entry point is called {}", entry.name));
    }
    let threads: u32 = entry.workgroup_size.iter().product();
    if threads > INVOCATIONS {
        return Err(format!("{threads} threads in a workgroup"));
    }
    let shared: u32 = module
        .global_variables
        .iter()
        .filter(|(_, variable)| variable.space == AddressSpace::WorkGroup)
        .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
        .sum();
    if shared > if permutation.for_matrices { 2 * WORKGROUP_BYTES } else { WORKGROUP_BYTES } {
        return Err(format!("{shared} bytes of workgroup memory"));
    }
    Ok(())
}

/// The `params` of the shader are the struct of its launches: names, offsets, sizes and kinds, in order.
fn same_params(permutation: &Permutation, module: &Module) -> Result<(), String> {
    let params = module
        .global_variables
        .iter()
        .map(|(_, variable)| variable)
        .find(|v| v.binding.as_ref().is_some_and(|b| (b.group, b.binding) == (1, 0)))
        .ok_or("the shader has no @group(1) @binding(0)")?;
    if params.space != AddressSpace::Uniform || params.name.as_deref() != Some("params") {
        return Err("@group(1) @binding(0) is not `var<uniform> params`".to_owned());
    }
    let TypeInner::Struct { members, span } = &module.types[params.ty].inner else {
        return Err("params is no struct".to_owned());
    };
    if *span > PARAMS_BYTES {
        return Err(format!("{span} bytes of params"));
    }
    same_fields(module, members, permutation.fields)
}

/// The `step` of a shader that reads it is the [`StepUniform`] of the host.
fn same_step(module: &Module) -> Result<(), String> {
    let step = module
        .global_variables
        .iter()
        .map(|(_, variable)| variable)
        .find(|v| v.binding.as_ref().is_some_and(|b| (b.group, b.binding) == (1, 1)));
    let Some(step) = step else { return Ok(()) };
    match &module.types[step.ty].inner {
        TypeInner::Struct { members, .. } => same_fields(module, members, StepUniform::FIELDS),
        other => Err(format!("the step is {other:?}")),
    }
}

fn same_fields(module: &Module, members: &[StructMember], fields: &[ParamField]) -> Result<(), String> {
    let names = |names: Vec<&str>| names.join(", ");
    let of_shader: Vec<&str> = members.iter().map(|m| m.name.as_deref().unwrap_or("")).collect();
    let of_host: Vec<&str> = fields.iter().map(|f| f.name).collect();
    if of_shader != of_host {
        return Err(format!(
            "the shader's params are {}; the launch's are {}",
            names(of_shader),
            names(of_host)
        ));
    }
    for (member, field) in members.iter().zip(fields) {
        let ParamField { name, offset, size, kind } = *field;
        if member.offset as usize != offset {
            return Err(format!(
                "{name} is at byte {} of the shader, at {offset} of the host",
                member.offset
            ));
        }
        let bytes = module.types[member.ty].inner.size(module.to_ctx()) as usize;
        if bytes != size {
            return Err(format!("{name} has {bytes} bytes in the shader, {size} on the host"));
        }
        match (element(module, member.ty), kind) {
            (TypeInner::Struct { members, .. }, FieldKind::Struct(fields)) => {
                same_fields(module, members, fields).map_err(|why| format!("in {name}: {why}"))?;
            }
            (TypeInner::Scalar(scalar) | TypeInner::Vector { scalar, .. }, kind)
                if Some(*scalar) == scalar_of(kind) => {}
            (inner, kind) => return Err(format!("{name} is {inner:?} in the shader, {kind:?} on the host")),
        }
    }
    Ok(())
}

/// What an array is made of; the type itself where it is none.
fn element(module: &Module, ty: Handle<Type>) -> &TypeInner {
    match &module.types[ty].inner {
        TypeInner::Array { base, .. } => element(module, *base),
        inner => inner,
    }
}

fn scalar_of(kind: FieldKind) -> Option<Scalar> {
    let kind = match kind {
        FieldKind::U32 => ScalarKind::Uint,
        FieldKind::I32 => ScalarKind::Sint,
        FieldKind::F32 => ScalarKind::Float,
        FieldKind::Struct(_) => return None,
    };
    Some(Scalar { kind, width: 4 })
}

/// The shader has as many tensors as its launches hand to it, numbered from 0, each a storage buffer that may
/// be written, and beside `params` at most the uniform of the step.
fn same_bindings(permutation: &Permutation, module: &Module) -> Result<(), String> {
    let (mut tensors, mut uniforms) = (BTreeSet::new(), BTreeSet::new());
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = &variable.binding else { continue };
        let name = variable.name.as_deref().unwrap_or("");
        let new = match (binding.group, variable.space) {
            (0, AddressSpace::Storage { access }) if access.contains(naga::StorageAccess::STORE) => {
                tensors.insert(binding.binding)
            }
            (1, AddressSpace::Uniform) => uniforms.insert(binding.binding),
            _ => {
                return Err(format!(
                    "{name} is neither a read_write tensor of group 0 nor a uniform of group 1"
                ));
            }
        };
        if !new {
            return Err(format!("the binding of {name} is taken"));
        }
    }
    let views = permutation.views;
    if !tensors.iter().copied().eq(0..views as u32) {
        return Err(format!("the shader's tensors are {tensors:?}, its launches hand it {views}"));
    }
    if views > STORAGE_BUFFERS {
        return Err(format!("{views} storage buffers"));
    }
    if uniforms.iter().any(|binding| *binding > 1) {
        return Err(format!("uniforms {uniforms:?}: 0 is params, 1 the step"));
    }
    Ok(())
}

#[test]
fn every_file_is_used_by_a_permutation() {
    let permutations = all_permutations();
    let used: BTreeSet<&str> = permutations.iter().map(|p| p.kernel.shader).collect();
    let unused: Vec<&str> =
        shaders::names().filter(|name| !name.starts_with("lib/") && !used.contains(name)).collect();
    assert!(unused.is_empty(), "no kernel launches {unused:?}");
    let unknown: Vec<&&str> = used.iter().filter(|name| !shaders::names().any(|n| n == **name)).collect();
    assert!(unknown.is_empty(), "there are no files for {unknown:?}");
}
