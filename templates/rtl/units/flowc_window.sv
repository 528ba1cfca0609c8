// Serial sliding window: a word per cycle, for every output position in the order [BLOCKS][KERNEL_H][KERNEL_W][BLOCK_WORDS].
//
// A ring holds (KERNEL_H - 1) * DILATION_H + SPARE rows and (KERNEL_W - 1) * DILATION_W + 1 pixels of words, and 2 * GAP words. A cycle
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
  localparam int SIZE = SPAN + WORDS + SPARE * ROW + 2 * GAP;
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
  localparam int NB = $clog2(TOTAL + SIZE + STRIDE_H * ROW + 1) + 1;  // holds any difference of two word numbers, signed

  // A way through the frame as one round the ring, forward.
  function automatic int around(int way);
    return (way % SIZE + SIZE) % SIZE;
  endfunction

  logic enable;
  logic signed [NB-1:0] ahead;  // words that may be given behind the next one, -1: it is not there yet
  logic signed [NB-1:0] room;  // words that may be taken after the next one, -1: not even that
  logic [GAP-2:0] arrived;
  logic [GAP-2:0][1:0] freed;  // 0: nothing, 1: a word, 2: what a position leaves behind, 3: what a row of them does
  logic all_taken, all_given;
  logic [NB-1:0] taken;
  logic [AW-1:0] write_at, read_at;

  logic last_word, last_x, last_y, last_block, last_column, last_row;
  wire needed = taken < NB'(NEEDED);
  wire may_take = !all_taken && (!room[NB-1] || !needed);
  wire may_give = !all_given && !ahead[NB-1];
  wire fire = enable && (!may_take || in_valid);
  wire take = fire && may_take;
  wire give = fire && may_give;
  assign in_ready = enable && may_take;

  // Where in the window, and which window
  wire end_x = give && last_word;
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
  flowc_count #(.COUNT(BLOCK_WORDS)) words (.clk, .rst, .step(give), .value(word), .last(last_word));
  flowc_count #(.COUNT(KERNEL_W)) xs (.clk, .rst, .step(end_x), .value(x), .last(last_x));
  flowc_count #(.COUNT(KERNEL_H)) ys (.clk, .rst, .step(end_y), .value(y), .last(last_y));
  flowc_count #(.COUNT(BLOCKS)) blocks (.clk, .rst, .step(end_block), .value(block), .last(last_block));
  flowc_count #(.COUNT(OUT_W)) columns (.clk, .rst, .step(end_position), .value(column), .last(last_column));
  flowc_count #(.COUNT(OUT_H)) rows (.clk, .rst, .step(end_row), .value(row), .last(last_row));
  wire unused = &{1'b0, word, block, column, row};

  logic signed [NB-1:0] way, release_;
  logic [AW-1:0] turn;
  always_comb begin
    if (!last_word) begin
      way = NB'(1);
      turn = AW'(1);
    end else if (!last_x) begin
      way = NB'(TO_X);
      turn = AW'(around(TO_X));
    end else if (!last_y) begin
      way = NB'(TO_Y);
      turn = AW'(around(TO_Y));
    end else if (!last_block) begin
      way = NB'(TO_BLOCK);
      turn = AW'(around(TO_BLOCK));
    end else if (!last_column) begin
      way = NB'(TO_POSITION);
      turn = AW'(around(TO_POSITION));
    end else begin
      way = NB'(TO_ROW);
      turn = AW'(around(TO_ROW));
    end
  end
  logic [1:0] frees;
  always_comb begin
    frees = {1'b0, give && x == '0 && y == '0};
    if (end_position) frees = last_column ? 2'd3 : 2'd2;
    case (freed[GAP-2])
      2'd1: release_ = NB'(1);
      2'd2: release_ = NB'(STEP_X - WORDS);
      2'd3: release_ = NB'(STEP_Y - WORDS);
      default: release_ = '0;
    endcase
  end

  wire given = all_given || (end_row && last_row);
  wire took = all_taken || (take && taken == NB'(TOTAL - 1));
  wire finished = fire && given && took;
  wire [AW:0] turned = (AW + 1)'(read_at) + (AW + 1)'(turn);
  wire restart = rst || finished;
  always_ff @(posedge clk)
    if (restart) begin
      ahead <= '1;
      room <= NB'(SIZE - 1);
      arrived <= '0;
      freed <= '0;
      all_taken <= 1'b0;
      all_given <= 1'b0;
      taken <= '0;
      write_at <= '0;
      read_at <= '0;
    end else if (fire) begin
      ahead <= ahead + NB'(arrived[GAP-2]) - (give ? way : '0);
      room <= room + release_ - NB'(take);
      arrived <= {arrived[GAP-3:0], take && needed};
      freed <= {freed[GAP-3:0], frees};
      all_taken <= took;
      all_given <= given;
      if (take) taken <= taken + 1'b1;
      if (take && needed) write_at <= write_at == AW'(SIZE - 1) ? '0 : write_at + 1'b1;
      if (give) read_at <= turned >= (AW + 1)'(SIZE) ? AW'(turned - (AW + 1)'(SIZE)) : AW'(turned);
    end

  logic [WIDTH-1:0] data;
  logic valid;
  flowc_ram #(.WIDTH(WIDTH), .DEPTH(SIZE), .STYLE(STYLE)) ring (
      .clk, .write(take && needed), .write_at, .in_data, .read(enable), .read_at, .out_data(data));
  always_ff @(posedge clk)
    if (rst) valid <= 1'b0;
    else if (enable) valid <= give;
  flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data, .valid, .enable, .out_data, .out_valid, .out_ready);
endmodule
