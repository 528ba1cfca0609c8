// The serial window gives, for every output position, the words [block][y][x][word of the block] of its input window, and forgets
// none before its last use: the word read is the one of that number, at the time when it is read.
//
// An independent count of positions says which word is due. One word of a frame, any word, is followed: while it is due it must
// stand in the ring where the module reads. What lies behind the ring, a register and the unit's end, is a stream (follow.sv).
//   early      a word is given that has not come, or one of the next frame is taken before the last one of this frame is given
//   mistaken   the word that is read is not the one that is due
// The outputs `hint_*` are no requirements: they state how the module's registers hang together, so that the induction closes.
// Where one is set and no other output, the module has changed and the hint has to follow it.
module proof_window #(
    parameter int HEIGHT = 5,
    parameter int COLUMNS = 3,
    parameter int BLOCKS = 1,
    parameter int BLOCK_WORDS = 1,
    parameter int KERNEL = 2,
    parameter int STRIDE = 1,
    parameter int DILATION = 1,
    parameter int SPARE = 0,
    parameter int SLACK = 8,
    parameter int GAP = 4
) (
    input logic clk, pick, again, in_valid, out_ready,
    input logic [1:0] in_data,
    output logic early, mistaken, hint_place, hint_moves, hint_last, hint_ahead, hint_room, hint_ring, hint_range,
    output logic invented, crowded, wrong, withdrawn, altered, stuck
);
  localparam int WORDS = BLOCKS * BLOCK_WORDS, ROW = COLUMNS * WORDS, TOTAL = HEIGHT * ROW;
  localparam int REACH = (KERNEL - 1) * DILATION;
  localparam int OUT_H = (HEIGHT - REACH - 1) / STRIDE + 1, OUT_W = (COLUMNS - REACH - 1) / STRIDE + 1;
  localparam int NEEDED = ((OUT_H - 1) * STRIDE + REACH) * ROW + ((OUT_W - 1) * STRIDE + REACH + 1) * WORDS;
  localparam int SIZE = REACH * ROW + REACH * WORDS + WORDS + SPARE * ROW + SLACK;
  localparam int AW = $clog2(SIZE);
  localparam int NB = $clog2(TOTAL + SIZE + STRIDE * ROW) + 2;
  typedef logic signed [NB-1:0] number;

  // The place of a word of the frame in the ring
  function automatic number around(number word_);
    number place_ = word_;
    for (int i = 0; i < TOTAL / SIZE; i++) if (place_ >= number'(SIZE)) place_ = place_ - number'(SIZE);
    return place_;
  endfunction

  logic rst = 1'b1, in_ready, out_valid;
  logic [1:0] out_data;
  always_ff @(posedge clk) rst <= 1'b0;
  flowc_window #(
      .WIDTH(2), .HEIGHT(HEIGHT), .COLUMNS(COLUMNS), .BLOCKS(BLOCKS), .BLOCK_WORDS(BLOCK_WORDS), .KERNEL_H(KERNEL),
      .KERNEL_W(KERNEL), .STRIDE_H(STRIDE), .STRIDE_W(STRIDE), .DILATION_H(DILATION), .DILATION_W(DILATION),
      .SPARE(SPARE), .SLACK(SLACK), .GAP(GAP), .DELAY(1)
  ) dut (.*);
  wire take = in_valid && in_ready, give = dut.give;

  // What is due: counted here, with nothing of the module but that it gives a word.
  number taken, column, row, block, y, x, word;
  logic given;  // the whole frame
  wire last_word = word == number'(BLOCK_WORDS - 1), last_x = x == number'(KERNEL - 1), last_y = y == number'(KERNEL - 1);
  wire last_block = block == number'(BLOCKS - 1), last_column = column == number'(OUT_W - 1), last_row = row == number'(OUT_H - 1);
  wire ends = give && last_word && last_x && last_y && last_block && last_column && last_row;
  wire over = (given || ends) && taken + number'({1'b0, take}) == number'(TOTAL);
  wire restart = rst || over;
  number due, base;
  assign base = row * number'(STRIDE * ROW) + column * number'(STRIDE * WORDS);
  assign due = base + y * number'(DILATION * ROW) + x * number'(DILATION * WORDS) + block * number'(BLOCK_WORDS) + word;
  always_ff @(posedge clk)
    if (restart) begin
      {taken, column, row, block, y, x, word} <= '0;
      given <= 1'b0;
    end else begin
      taken <= taken + number'({1'b0, take});
      given <= given || ends;
      if (give) begin
        word <= last_word ? '0 : word + 1'b1;
        if (last_word) x <= last_x ? '0 : x + 1'b1;
        if (last_word && last_x) y <= last_y ? '0 : y + 1'b1;
        if (last_word && last_x && last_y) block <= last_block ? '0 : block + 1'b1;
        if (last_word && last_x && last_y && last_block) column <= last_column ? '0 : column + 1'b1;
        if (last_word && last_x && last_y && last_block && last_column) row <= last_row ? '0 : row + 1'b1;
      end
    end

  logic following;
  number place;
  logic [1:0] picked;
  always_ff @(posedge clk)
    if (restart) following <= 1'b0;
    else if (take && pick && !following) begin
      following <= 1'b1;
      place <= taken;
      picked <= in_data;
    end
  wire [1:0] read = dut.ring.g_distributed.content[dut.read_at];
  assign early = !rst && ((give && due >= taken) || (take && taken == number'(TOTAL)));
  assign mistaken = !rst && give && following && due == place && read != picked;

  // How the module's registers hang together
  number stored, released, waiting;
  assign stored = taken < number'(NEEDED) ? taken : number'(NEEDED);
  always_comb begin
    waiting = '0;
    released = base + block * number'(BLOCK_WORDS) + (x == 0 && y == 0 ? word : number'(BLOCK_WORDS));
    for (int i = 0; i < GAP - 1; i++) waiting = waiting + number'({1'b0, dut.arrived[i]});
    for (int i = 0; i < GAP - 2; i++) begin
      case (dut.freed[i])
        2'd1: released = released - 1'b1;
        2'd2: released = released - number'((STRIDE - 1) * WORDS);
        2'd3: released = released - number'(STRIDE * ROW - (OUT_W - 1) * STRIDE * WORDS - WORDS);
        default: ;
      endcase
    end
    released = released - number'(dut.released) - 1'b1;
  end
  // The module's counters are a word ahead, but for the first cycle; what follows from where the next word lies is in registers.
  number next_word, next_x, next_y, next_block, next_column, next_row, way;
  wire position = last_word && last_x && last_y && last_block;
  assign next_word = !dut.primed ? word : last_word ? '0 : word + 1'b1;
  assign next_x = !dut.primed || !last_word ? x : last_x ? '0 : x + 1'b1;
  assign next_y = !dut.primed || !(last_word && last_x) ? y : last_y ? '0 : y + 1'b1;
  assign next_block = !dut.primed || !(last_word && last_x && last_y) ? block : last_block ? '0 : block + 1'b1;
  assign next_column = !dut.primed || !position ? column : last_column ? '0 : column + 1'b1;
  assign next_row = !dut.primed || !(position && last_column) ? row : last_row ? '0 : row + 1'b1;
  assign way = next_row * number'(STRIDE * ROW) + next_column * number'(STRIDE * WORDS) + next_y * number'(DILATION * ROW)
      + next_x * number'(DILATION * WORDS) + next_block * number'(BLOCK_WORDS) + next_word - due;
  wire final_word = position && last_column && last_row;
  assign hint_moves = !rst && (dut.primed
      ? dut.last_given != final_word || dut.frees != (position ? {1'b1, last_column} : {1'b0, x == 0 && y == 0})
      || (!final_word && (number'(dut.back) != -way || number'(dut.turn) != around(way < 0 ? way + number'(SIZE) : way)))
      || number'($signed(dut.less)) != number'(dut.turn) - number'(SIZE)
      : given || taken != 0 || {column, row, block, y, x, word} != '0);
  assign hint_last = !rst && (dut.last_word != (32'(dut.word) == (BLOCK_WORDS - 1))
      || dut.last_x != (32'(dut.x) == (KERNEL - 1)) || dut.last_y != (32'(dut.y) == (KERNEL - 1))
      || dut.last_block != (32'(dut.block) == (BLOCKS - 1))
      || dut.last_column != (32'(dut.column) == (OUT_W - 1)) || dut.last_row != (32'(dut.row) == (OUT_H - 1))
      || dut.last_taken != (32'(dut.taken) == (TOTAL - 1))
      || dut.needed != (NEEDED == TOTAL || taken < number'(NEEDED)));
  assign hint_place = !rst && (number'({1'b0, dut.taken}) != (taken == number'(TOTAL) ? '0 : taken)
      || dut.all_given != given || dut.all_taken != (taken == number'(TOTAL))
      || number'({1'b0, dut.x}) != next_x || number'({1'b0, dut.y}) != next_y || number'({1'b0, dut.word}) != next_word
      || number'({1'b0, dut.block}) != next_block || number'({1'b0, dut.column}) != next_column || number'({1'b0, dut.row}) != next_row);
  assign hint_ahead = !rst && !given && (number'(dut.ahead) != stored - waiting - due - number'(1)
      || number'({1'b0, dut.read_at}) != around(due));
  assign hint_room = !rst && !given && (number'(dut.room) != number'(SIZE - 1) - taken + released
      || stored - released > number'(SIZE)) || !rst && dut.released != -1 && dut.released != 0
      && number'(dut.released) != number'((STRIDE - 1) * WORDS - 1)
      && number'(dut.released) != number'(STRIDE * ROW - (OUT_W - 1) * STRIDE * WORDS - WORDS - 1);
  // Where the next word may go, the oldest one may be gone before that word has come.
  assign hint_ring = !rst && (number'({1'b0, dut.write_at}) != around(stored)
      || (following && place < stored && place >= stored - number'(SIZE) + number'({1'b0, dut.needed && dut.room >= 0})
      && dut.ring.g_distributed.content[AW'(around(place))] != picked));
  assign hint_range = !rst && (word < 0 || x < 0 || y < 0 || block < 0 || column < 0 || row < 0 || word >= number'(BLOCK_WORDS) || x >= number'(KERNEL) || y >= number'(KERNEL)
      || block >= number'(BLOCKS) || column >= number'(OUT_W) || row >= number'(OUT_H) || taken > number'(TOTAL)
      || (following && (place < 0 || place >= taken)) || (given && (taken < number'(NEEDED) || taken == number'(TOTAL)
      || {column, row, block, y, x, word} != '0)));

  follow #(.MOST(4), .PATIENCE(2)) follow (.pick(again), .which(1'b0), .in_data(read), .in_valid(give), .in_ready(1'b1), .*);
endmodule
