    // A part of main: which strip and vec4 of channels a thread has, and where that is.
    // uses: workgroup, workgroups, local
    // defines: place, channel, line, image, segment, prologue, tally, left (of the source), x (of the output)
    let index = linear_index(workgroup, workgroups, local, 64u);
    if (index >= params.threads) {
        return;
    }
    let place = divide(index, params.quads);
    let channel = index - place * params.quads;
    let line = divide(place, params.blocks_w);
    let block_x = i32(place - line * params.blocks_w);
    let image = divide(line, params.strips);
    let segment = segment_of(image);
    let prologue = prologue_of(segment, channel, params.quads);
    var tally = tally_of(segment, channel, params.quads);
    let left = params.source_x + block_x * i32(SOURCE_COLUMN_STEP);
    let x = params.first_x + block_x * $(COLUMNS);
