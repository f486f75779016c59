        // A part of main: adds A·B of the tiles in workgroup memory to the sums.
        // uses: thread_x, thread_y; a_tile and b_tile of lib/conv_tile; adds to acc_I_J
        // defines: nothing that is read outside
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
