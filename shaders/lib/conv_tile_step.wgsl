        // A part of main: adds A·B of the tiles in workgroup memory to the sums.
        for (var k = 0u; k < KC; k++) {
#for i in 0..TM / 4
            let a_$i = a_tile[k * A_ROW + thread_y + $(i * TILE_M / TM)u];
#end
#for j in 0..TN / 4
            let b_$j = b_tile[k * B_ROW + thread_x + $(j * TILE_N / TN)u];
#end
#for i in 0..TM
#for j in 0..TN / 4
            acc_$i_$j += a_$(i / 4)[$(i % 4)] * b_$j;
#end
#end
        }
