    // A part of main: merges the tallies of the threads that share a column, in order, and writes the strip's slice.
    // a_tile holds both vec4s of a tally; it is large enough for every tile shape.
#for j in 0..TN / 4
    let part_$j = tally_part(&tally_$j);
    a_tile[(thread_y * $(TILE_N / 4)u + thread_x + $(j * TILE_N / TN)u) * 2u] = part_$j.first;
    a_tile[(thread_y * $(TILE_N / 4)u + thread_x + $(j * TILE_N / TN)u) * 2u + 1u] = part_$j.second;
#end
    if (thread_x == 0u) {
        // Every column of a thread has the same rows; a thread's first column is that of thread_x, which exists.
        tally_counts[thread_y] = part_0.count;
    }
    workgroupBarrier();
    if (local < $(TILE_N / 4)u && column + local < params.output4) {
        var total = TallyPart(tally_counts[0], a_tile[local * 2u], a_tile[local * 2u + 1u]);
        for (var y = 1u; y < $(TILE_M / TM)u; y++) {
            let at = (y * $(TILE_N / 4)u + local) * 2u;
            total = tally_sum(total, TallyPart(tally_counts[y], a_tile[at], a_tile[at + 1u]));
        }
        write_part(total, strip.slice, column + local, params.output4);
    }
