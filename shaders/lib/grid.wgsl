// The number of a thread in a one-dimensional grid folded into x and y (`linear_grid` in src/gpu/launch.rs).

fn linear_index(workgroup: vec3<u32>, groups: vec3<u32>, local: u32, size: u32) -> u32 {
    return (workgroup.y * groups.x + workgroup.x) * size + local;
}
