    // A part of main: hands the sums to the threads as conv_tile_start has them, part by part.
    // uses: sum_I_R_C, matrix_row, matrix_column, thread_x, thread_y; results of lib/conv_matrix
    // defines: acc_I_J
#for i in 0..TM / 4
  #for r in 0..TILE_M * 4 / TM / SUBGROUP_ROWS / SIDE
    #for c in 0..TILE_N / SUBGROUP_COLUMNS / SIDE
    coopStoreT(
        sum_$i_$r_$c,
        &results[((matrix_row + $(r * SIDE)u) * RESULT_ROW + matrix_column / 4u + $(c * SIDE / 4)u) * UNIT],
        RESULT_ROW * UNIT);
    #end
  #end
    workgroupBarrier();
  #for r in 0..4
    #for j in 0..TN / 4
    let acc_$(i * 4 + r)_$j =
        result_at((thread_y * 4u + $ru) * RESULT_ROW + thread_x + $(j * TILE_N / TN)u);
    #end
  #end
    workgroupBarrier();
#end
