    // A part of main: the subgroup's sums, SIDE × SIDE each, of part i, row block r in it, and column block
    // c.
    // uses: subgroup; zeros of lib/conv_matrix
    // defines: matrix_row, matrix_column, sum_I_R_C
    let matrix_row = subgroup / SUBGROUP_COLUMNS * $(TILE_M * 4 / TM / SUBGROUP_ROWS)u;
    let matrix_column = subgroup % SUBGROUP_COLUMNS * $(TILE_N / SUBGROUP_COLUMNS)u;
#for i in 0..TM / 4
  #for r in 0..TILE_M * 4 / TM / SUBGROUP_ROWS / SIDE
    #for c in 0..TILE_N / SUBGROUP_COLUMNS / SIDE
    var sum_$i_$r_$c = coopLoadT<coop_mat$(SIDE)x$(SIDE)<f32, C>>(&zeros[0], $(SIDE / 4)u * UNIT);
    #end
  #end
#end
