// What a kernel does with its results besides storing them, so that the batch norm beside it need not read
// them. EPILOGUE chooses the file; with TALLIES it is one that leaves partial sums. A tally is that of one
// thread, segment and vec4 of channels, and becomes one slice of the partial sums that batch_norm_finalize or
// batch_norm_backward_finalize merge; `tally_sum` merges those of several threads before. Tensors start at
// binding EPILOGUE_AT.
// Host side: `Epilogue` in src/kernels/fusion.rs.
// uses: EPILOGUE, EPILOGUE_AT, STORE_ACTIVATION
// defines: Tally, tally_of, tallied, write_tally; with TALLIES also TallyPart, tally_part, tally_sum,
// write_part
#import lib/storage
const EPILOGUE_NONE: u32 = 0u;
const EPILOGUE_STATISTICS: u32 = 1u;
const EPILOGUE_SLOPE: u32 = 2u;
const EPILOGUE_SHIFT: u32 = 3u;
const EPILOGUE_SHIFT_KEPT: u32 = 4u;
const EPILOGUE_DERIVATIVE: u32 = 5u;

#if EPILOGUE == EPILOGUE_STATISTICS
  #import lib/epilogue/statistics
#elif EPILOGUE == EPILOGUE_SLOPE
  #import lib/epilogue/slope
#elif EPILOGUE == EPILOGUE_SHIFT || EPILOGUE == EPILOGUE_SHIFT_KEPT
  #import lib/epilogue/shift
#elif EPILOGUE == EPILOGUE_DERIVATIVE
  #import lib/epilogue/derivative
#else
  #import lib/epilogue/plain
#endif EPILOGUE
