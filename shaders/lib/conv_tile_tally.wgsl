    // A part of main: merges the tallies of the threads that share a column, in order, and writes the strip's
    // slice.
    // uses: tally_J, thread_x, thread_y, local, column, strip
    // defines: nothing
#for j in 0..TN / 4
    let part_$j = tally_part(&tally_$j);
    let tally_at_$j = (thread_y * $(TILE_N / 4)u + thread_x + $(j * TILE_N / TN)u) * 2u;
    keep_tally(tally_at_$j, part_$j.first);
    keep_tally(tally_at_$j + 1u, part_$j.second);
#end
    if (thread_x == 0u) {
        // Every column of a thread has the same rows; a thread's first column is that of thread_x, which
        // exists.
        tally_counts[thread_y] = part_0.count;
    }
    workgroupBarrier();
    if (local < $(TILE_N / 4)u && column + local < params.output4) {
        var total = TallyPart(tally_counts[0], kept_tally(local * 2u), kept_tally(local * 2u + 1u));
        for (var y = 1u; y < $(TILE_M / TM)u; y++) {
            let at = (y * $(TILE_N / 4)u + local) * 2u;
            total = tally_sum(total, TallyPart(tally_counts[y], kept_tally(at), kept_tally(at + 1u)));
        }
        write_part(total, strip.slice, column + local, params.output4);
    }
