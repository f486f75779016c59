        // A part of main: adds A·B of the tiles in workgroup memory to the sums.
        // uses: matrix_row, matrix_column; a_tile and b_tile of lib/conv_matrix; adds to sum_I_R_C
        // defines: nothing that is read outside
#for k in 0..KC / SIDE
  #for i in 0..TM / 4
    #for r in 0..TILE_M * 4 / TM / SUBGROUP_ROWS / SIDE
        let a_row_$k_$i_$r = matrix_row + $(i * TILE_M * 4 / TM + r * SIDE)u;
      #if A_DEEP
        let a_$k_$i_$r = coopLoadT<coop_mat$(SIDE)x$(SIDE)<f16, A>>(
            &a_tile[(a_row_$k_$i_$r * A_ROW + $(k * SIDE / 4)u) * UNIT], A_ROW * UNIT);
      #else
        let a_$k_$i_$r = coopLoad<coop_mat$(SIDE)x$(SIDE)<f16, A>>(
            &a_tile[($(k * SIDE)u * A_ROW + a_row_$k_$i_$r / 4u) * UNIT], A_ROW * UNIT);
      #endif
    #end
  #end
  #for c in 0..TILE_N / SUBGROUP_COLUMNS / SIDE
        let b_column_$k_$c = matrix_column + $(c * SIDE)u;
    #if B_DEEP
        let b_$k_$c = coopLoad<coop_mat$(SIDE)x$(SIDE)<f16, B>>(
            &b_tile[(b_column_$k_$c * B_ROW + $(k * SIDE / 4)u) * UNIT], B_ROW * UNIT);
    #else
        let b_$k_$c = coopLoadT<coop_mat$(SIDE)x$(SIDE)<f16, B>>(
            &b_tile[($(k * SIDE)u * B_ROW + b_column_$k_$c / 4u) * UNIT], B_ROW * UNIT);
    #endif
    #for i in 0..TM / 4
      #for r in 0..TILE_M * 4 / TM / SUBGROUP_ROWS / SIDE
        sum_$i_$r_$c = coopMultiplyAdd(a_$k_$i_$r, b_$k_$c, sum_$i_$r_$c);
      #end
    #end
  #end
#end
