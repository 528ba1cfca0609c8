// Serial sliding window: a word per cycle, for every output position in the order [BLOCKS][KERNEL_H][KERNEL_W][BLOCK_WORDS].
//
// A ring holds (KERNEL_H - 1) * DILATION_H + SPARE rows and (KERNEL_W - 1) * DILATION_W + 1 pixels of words, and SLACK words. A cycle
// takes a word if the ring has room for it, and gives the next one if it was taken GAP cycles ago or earlier. The first tap of a
// position is never needed again, so each of its words makes room for one word, GAP cycles later. A frame ends when all words
// are taken and given; the next begins with an empty ring. So far the model of the compiler says the same (`Ring`).
module flowc_window #(
    parameter int WIDTH = 8,
    parameter int HEIGHT = 4,
    parameter int COLUMNS = 4,
    parameter int BLOCKS = 1,
    parameter int BLOCK_WORDS = 1,
    parameter int KERNEL_H = 3,
    parameter int KERNEL_W = 3,
    parameter int STRIDE_H = 1,
    parameter int STRIDE_W = 1,
    parameter int DILATION_H = 1,
    parameter int DILATION_W = 1,
    parameter int SPARE = 0,
    parameter int SLACK = 8,
    parameter int GAP = 4,
    parameter bit [95:0] STYLE = "distributed",
    parameter int DELAY = 1
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int WORDS = BLOCKS * BLOCK_WORDS;
  localparam int ROW = COLUMNS * WORDS;
  localparam int OUT_H = (HEIGHT - (KERNEL_H - 1) * DILATION_H - 1) / STRIDE_H + 1;
  localparam int OUT_W = (COLUMNS - (KERNEL_W - 1) * DILATION_W - 1) / STRIDE_W + 1;
  localparam int SPAN_X = (KERNEL_W - 1) * DILATION_W * WORDS;
  localparam int SPAN = (KERNEL_H - 1) * DILATION_H * ROW + SPAN_X;
  localparam int TOTAL = HEIGHT * ROW;
  localparam int NEEDED = (OUT_H - 1) * STRIDE_H * ROW + (OUT_W - 1) * STRIDE_W * WORDS + SPAN + WORDS;
  localparam int SIZE = SPAN + WORDS + SPARE * ROW + SLACK;
  localparam int AW = $clog2(SIZE);
  // Ways, in words: from position to position, and from the last word of a tap, row of taps, block, position, row of
  // positions to the first word of the next.
  localparam int STEP_X = STRIDE_W * WORDS;
  localparam int STEP_Y = STRIDE_H * ROW - (OUT_W - 1) * STEP_X;
  localparam int TO_X = DILATION_W * WORDS - (BLOCK_WORDS - 1);
  localparam int TO_Y = DILATION_H * ROW - SPAN_X - (BLOCK_WORDS - 1);
  localparam int TO_BLOCK = 1 - SPAN;
  localparam int TO_POSITION = STEP_X - SPAN - (WORDS - 1);
  localparam int TO_ROW = STEP_Y - SPAN - (WORDS - 1);
  // Holds `ahead` and `room`: no word is further from the ring's than the next row of positions.
  localparam int NB = $clog2(SIZE + STRIDE_H * ROW + 1) + 1;
  // A memory in look-up tables has 14 bits in eight. A word out of a block comes late, and goes into a register of the block's own.
  localparam bit SMALL = 8 * ((WIDTH + 13) / 14) < WIDTH;
  localparam bit [95:0] END = DELAY > 0 && STYLE == "distributed" && SMALL ? "distributed" : "registers";

  // A way through the frame as one round the ring, forward.
  function automatic int around(int way);
    return (way % SIZE + SIZE) % SIZE;
  endfunction

  logic enable;
  logic signed [NB-1:0] ahead;  // words that may be given behind the next one, -1: it is not there yet
  logic signed [NB-1:0] room;  // words that may be taken after the next one, -1: not even that
  logic [GAP-2:0] arrived;
  logic all_taken, all_given, last_taken, needed;
  logic [AW-1:0] write_at, read_at;

  wire may_take = !all_taken && (!room[NB-1] || !needed);
  wire may_give = !all_given && !ahead[NB-1];
  wire fire = enable && (!may_take || in_valid);
  wire take = fire && may_take;
  wire give = fire && may_give;
  assign in_ready = enable && may_take;

  // Where in the window, and which window: that of the word after the next one. What follows from it for the next word is in
  // registers, so that no counter lies in front of an adder. In the first cycle no word can be given: it is there yet.
  logic primed;
  always_ff @(posedge clk) primed <= !rst;
  wire advance = give || !primed;
  logic last_word, last_x, last_y, last_block, last_column, last_row;
  wire end_x = advance && last_word;
  wire end_y = end_x && last_x;
  wire end_block = end_y && last_y;
  wire end_position = end_block && last_block;
  wire end_row = end_position && last_column;
  logic [(BLOCK_WORDS > 1 ? $clog2(BLOCK_WORDS) : 1)-1:0] word;
  logic [(KERNEL_W > 1 ? $clog2(KERNEL_W) : 1)-1:0] x;
  logic [(KERNEL_H > 1 ? $clog2(KERNEL_H) : 1)-1:0] y;
  logic [(BLOCKS > 1 ? $clog2(BLOCKS) : 1)-1:0] block;
  logic [(OUT_W > 1 ? $clog2(OUT_W) : 1)-1:0] column;
  logic [(OUT_H > 1 ? $clog2(OUT_H) : 1)-1:0] row;
  flowc_count #(.COUNT(BLOCK_WORDS)) words (.clk, .rst, .step(advance), .value(word), .last(last_word));
  flowc_count #(.COUNT(KERNEL_W)) xs (.clk, .rst, .step(end_x), .value(x), .last(last_x));
  flowc_count #(.COUNT(KERNEL_H)) ys (.clk, .rst, .step(end_y), .value(y), .last(last_y));
  flowc_count #(.COUNT(BLOCKS)) blocks (.clk, .rst, .step(end_block), .value(block), .last(last_block));
  flowc_count #(.COUNT(OUT_W)) columns (.clk, .rst, .step(end_position), .value(column), .last(last_column));
  flowc_count #(.COUNT(OUT_H)) rows (.clk, .rst, .step(end_row), .value(row), .last(last_row));
  wire unused = &{1'b0, word, block, column, row};

  wire at_position = last_word && last_x && last_y && last_block;  // its last word
  logic signed [NB-1:0] back, next_back;  // the way to the word behind the next one, its sign changed
  logic [AW:0] turn, next_turn;  // the same, as a way forward round the ring
  always_comb begin
    if (!last_word) begin
      next_back = -NB'(1);
      next_turn = (AW + 1)'(1);
    end else if (!last_x) begin
      next_back = -NB'(TO_X);
      next_turn = (AW + 1)'(around(TO_X));
    end else if (!last_y) begin
      next_back = -NB'(TO_Y);
      next_turn = (AW + 1)'(around(TO_Y));
    end else if (!last_block) begin
      next_back = -NB'(TO_BLOCK);
      next_turn = (AW + 1)'(around(TO_BLOCK));
    end else if (!last_column) begin
      next_back = -NB'(TO_POSITION);
      next_turn = (AW + 1)'(around(TO_POSITION));
    end else begin
      next_back = -NB'(TO_ROW);
      next_turn = (AW + 1)'(around(TO_ROW));
    end
  end
  // What a given word frees: 0 nothing, 1 a word, 2 what a position leaves behind, 3 what a row of them does
  logic [1:0] frees;
  logic [GAP-3:0][1:0] freed;
  logic last_given;
  always_ff @(posedge clk)
    if (advance) begin
      back <= next_back;
      turn <= next_turn;
      frees <= at_position ? {1'b1, last_column} : {1'b0, x == '0 && y == '0};
      last_given <= at_position && last_column && last_row;
    end
  logic signed [NB-1:0] released, next_released;  // words less one
  always_comb
    case (freed[GAP-3])
      2'd1: next_released = '0;
      2'd2: next_released = NB'(STEP_X - WORDS - 1);
      2'd3: next_released = NB'(STEP_Y - WORDS - 1);
      default: next_released = '1;
    endcase

  wire given = all_given || (give && last_given);
  wire took = all_taken || (take && last_taken);
  wire restart = rst || (fire && given && took);
  // Sums with a carry into the lowest bit
  wire [NB:0] next_ahead = {ahead, arrived[GAP-2]} + {give ? back : NB'(0), arrived[GAP-2]};
  wire [NB:0] next_room = {room, 1'b1} + {released, !take};
  logic [(TOTAL > 1 ? $clog2(TOTAL) : 1)-1:0] taken;
  flowc_count #(.COUNT(TOTAL)) takes (.clk, .rst(restart), .step(take), .value(taken), .last(last_taken));
  if (NEEDED < TOTAL) begin : g_rest
    always_ff @(posedge clk)
      if (restart) needed <= 1'b1;
      else if (take && taken == $bits(taken)'(NEEDED - 1)) needed <= 1'b0;
  end else begin : g_all
    assign needed = 1'b1;
    wire unused_taken = &{1'b0, taken};
  end
  always_ff @(posedge clk)
    if (restart) begin
      ahead <= '1;
      room <= NB'(SIZE - 1);
      released <= '1;
      arrived <= '0;
      freed <= '0;
      all_taken <= 1'b0;
      all_given <= 1'b0;
      write_at <= '0;
    end else if (fire) begin
      ahead <= next_ahead[NB:1];
      room <= next_room[NB:1];
      released <= next_released;
      arrived <= {arrived[GAP-3:0], take && needed};
      freed <= {freed[GAP-4:0], give ? frees : 2'd0};
      all_taken <= took;
      all_given <= given;
      if (take && needed) write_at <= SIZE != 1 << AW && write_at == AW'(SIZE - 1) ? '0 : write_at + 1'b1;
    end
  wire unused_carries = &{1'b0, next_ahead[0], next_room[0]};

  // The next address, with and without a round less
  logic [AW:0] less;
  always_ff @(posedge clk) if (advance) less <= next_turn - (AW + 1)'(SIZE);
  wire [AW:0] onward = {1'b0, read_at} + turn, rounded = {1'b0, read_at} + less;
  wire turned = SIZE != 1 << AW && !rounded[AW];
  always_ff @(posedge clk)
    if (restart) read_at <= '0;
    else if (give) read_at <= turned ? rounded[AW-1:0] : onward[AW-1:0];
  wire unused_turn = &{1'b0, onward[AW], rounded};

  logic [WIDTH-1:0] data;
  logic valid;
  // While the place of the next word is free, whatever is offered is written there, until a word is taken: so neither streams nor
  // `enable` are on the way to the memory.
  flowc_ram #(.WIDTH(WIDTH), .DEPTH(SIZE), .STYLE(STYLE)) ring (
      .clk, .write(needed && !room[NB-1]), .write_at, .in_data, .read(enable), .read_at, .out_data(data));
  always_ff @(posedge clk)
    if (rst) valid <= 1'b0;
    else if (enable) valid <= give;
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY), .STYLE(END)) emit (
      .clk, .rst, .data, .valid, .enable, .out_data, .out_valid, .out_ready);
endmodule
