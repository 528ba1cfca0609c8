// Parallel sliding window: a block's whole window per beat, [KERNEL_H][KERNEL_W] words. One cycle per input word; a window leaves
// with its last word.
//
// A chain of delays: a tap is its right-hand neighbour DILATION_W pixels later, and the last tap of a row is the first one
// of the row below, the rest of DILATION_H rows later.
module flowc_window_parallel #(
    parameter int WIDTH = 8,
    parameter int HEIGHT = 4,
    parameter int COLUMNS = 4,
    parameter int WORDS = 1,
    parameter int KERNEL_H = 3,
    parameter int KERNEL_W = 3,
    parameter int STRIDE_H = 1,
    parameter int STRIDE_W = 1,
    parameter int DILATION_H = 1,
    parameter int DILATION_W = 1,
    parameter bit [95:0] STYLE = "distributed",
    parameter int DELAY = 2,
    localparam int TAPS = KERNEL_H * KERNEL_W
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [TAPS*WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int FIRST_X = (KERNEL_W - 1) * DILATION_W, FIRST_Y = (KERNEL_H - 1) * DILATION_H;
  localparam int OUT_W = (COLUMNS - FIRST_X - 1) / STRIDE_W + 1, OUT_H = (HEIGHT - FIRST_Y - 1) / STRIDE_H + 1;
  localparam int COLUMN_DELAY = DILATION_W * WORDS;
  localparam int ROW_DELAY = (DILATION_H * COLUMNS - FIRST_X) * WORDS;
  logic enable, last_word, last_x, last_y, row, column;
  logic [(WORDS > 1 ? $clog2(WORDS) : 1)-1:0] word;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_count #(.COUNT(WORDS)) words (.clk, .rst, .step(fire), .value(word), .last(last_word));
  flowc_grid #(.COUNT(COLUMNS), .FIRST(FIRST_X), .PIXELS(OUT_W), .STEP(STRIDE_W)) columns (
      .clk, .rst, .step(fire && last_word), .hit(column), .last(last_x));
  flowc_grid #(.COUNT(HEIGHT), .FIRST(FIRST_Y), .PIXELS(OUT_H), .STEP(STRIDE_H)) rows (
      .clk, .rst, .step(fire && last_word && last_x), .hit(row), .last(last_y));
  wire unused = &{1'b0, word, last_y};

  logic [TAPS*WIDTH-1:0] taps;
  for (genvar t = TAPS - 1; t >= 0; t--) begin : g_tap
    if (t == TAPS - 1) begin : g_input
      assign taps[t*WIDTH+:WIDTH] = in_data;
    end else begin : g_delayed
      localparam int LENGTH = (t + 1) % KERNEL_W != 0 ? COLUMN_DELAY : ROW_DELAY;
      flowc_delay #(.WIDTH(WIDTH), .LENGTH(LENGTH), .STYLE(STYLE)) delay (
          .clk, .rst, .step(fire), .in_data(taps[(t+1)*WIDTH+:WIDTH]), .out_data(taps[t*WIDTH+:WIDTH]));
    end
  end
  flowc_emit #(.WIDTH(TAPS * WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data(taps), .valid(fire && row && column), .enable, .out_data, .out_valid, .out_ready);
endmodule
