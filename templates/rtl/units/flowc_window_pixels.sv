// Sliding window over beats of PIXELS whole pixels: the windows of GIVEN positions per beat, each [KERNEL_H][KERNEL_W] pixels of WIDTH
// bits. One cycle per input beat; positions leave with the last beat that they need.
//
// Of every row of the kernel the last BEHIND beats are kept; what leaves them is the row above, the rest of DILATION_H rows later.
module flowc_window_pixels #(
    parameter int WIDTH = 8,
    parameter int PIXELS = 2,
    parameter int GIVEN = 2,
    parameter int BEHIND = 1,
    parameter int HEIGHT = 4,
    parameter int ROW_BEATS = 4,
    parameter int OUT_BEATS = 3,
    parameter int KERNEL_H = 3,
    parameter int KERNEL_W = 3,
    parameter int STRIDE_H = 1,
    parameter int STRIDE_W = 1,
    parameter int DILATION_H = 1,
    parameter int DILATION_W = 1,
    parameter bit [95:0] STYLE = "distributed",
    parameter int DELAY = 2,
    localparam int BEAT = PIXELS * WIDTH,
    localparam int TAPS = GIVEN * KERNEL_H * KERNEL_W
) (
    input logic clk,
    input logic rst,
    input logic [BEAT-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [TAPS*WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int FIRST_Y = (KERNEL_H - 1) * DILATION_H, OUT_H = (HEIGHT - FIRST_Y - 1) / STRIDE_H + 1;
  localparam int ROW_DELAY = DILATION_H * ROW_BEATS - BEHIND;
  localparam int KEPT = BEHIND + 1;
  logic enable, last_x, last_y, row, column;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_grid #(.COUNT(ROW_BEATS), .FIRST(BEHIND), .PIXELS(OUT_BEATS), .STEP(1)) columns (
      .clk, .rst, .step(fire), .hit(column), .last(last_x));
  flowc_grid #(.COUNT(HEIGHT), .FIRST(FIRST_Y), .PIXELS(OUT_H), .STEP(STRIDE_H)) rows (
      .clk, .rst, .step(fire && last_x), .hit(row), .last(last_y));

  // Per row of the kernel the beats that hold its pixels, the oldest in the least significant bits.
  logic [KERNEL_H*KEPT*BEAT-1:0] beats;
  for (genvar y = KERNEL_H - 1; y >= 0; y--) begin : g_row
    localparam int NEWEST = (y * KEPT + BEHIND) * BEAT;
    if (y == KERNEL_H - 1) begin : g_input
      assign beats[NEWEST+:BEAT] = in_data;
    end else begin : g_above
      flowc_delay #(.WIDTH(BEAT), .LENGTH(ROW_DELAY), .STYLE(STYLE)) delay (
          .clk, .rst, .step(fire), .in_data(beats[(y+1)*KEPT*BEAT+:BEAT]), .out_data(beats[NEWEST+:BEAT]));
    end
    for (genvar k = 0; k < BEHIND; k++) begin : g_kept
      localparam int AT = (y * KEPT + k) * BEAT;
      flowc_delay #(.WIDTH(BEAT), .LENGTH(1)) delay (
          .clk, .rst, .step(fire), .in_data(beats[AT+BEAT+:BEAT]), .out_data(beats[AT+:BEAT]));
    end
  end

  logic [TAPS*WIDTH-1:0] taps;
  for (genvar t = 0; t < TAPS; t++) begin : g_tap
    localparam int X = t / (KERNEL_H * KERNEL_W) * STRIDE_W + t % KERNEL_W * DILATION_W, Y = t / KERNEL_W % KERNEL_H;
    assign taps[t*WIDTH+:WIDTH] = beats[Y*KEPT*BEAT+X*WIDTH+:WIDTH];
  end
  flowc_emit #(.WIDTH(TAPS * WIDTH), .DELAY(DELAY)) emit (
      .clk, .rst, .data(taps), .valid(fire && row && column), .enable, .out_data, .out_valid, .out_ready);
  wire unused = &{1'b0, last_y, beats};
endmodule
