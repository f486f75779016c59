    // A part of main: the thread's TM × TN sums. It owns rows and columns in groups of 4 that lie one tile's
    // threads apart, so that neighbouring threads read neighbouring vec4s.
    // uses: nothing
    // defines: acc_I_J
#for i in 0..TM
  #for j in 0..TN / 4
    var acc_$i_$j = vec4<f32>();
  #end
#end
