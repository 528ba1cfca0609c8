// Vector-vector-threshold unit: PE channels by TERMS taps per cycle, with COPIES results per channel, then the activation.
//
// Beats are [TERMS][PE]; FOLDS beats make a result. With PIXELS above 1 a beat holds so many positions, [PIXELS][TERMS][PE], each computed
// whole by lanes of its own.
module flowc_vvtu #(
    parameter int PE = 1,
    parameter int COPIES = 1,
    parameter int PIXELS = 1,
    parameter int TERMS = 1,
    parameter int FOLDS = 1,
    parameter int BLOCKS = 1,
    parameter int W_BITS = 4,
    parameter int W_KIND = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int SUM = 16,
    parameter int STAGES = 0,
    parameter bit [95:0] DOT_STYLE = "heap",
    parameter WEIGHTS = "",
    parameter bit [95:0] WEIGHT_STYLE = "logic",
    parameter bit [79:0] FORM = "none",
    parameter int ROWS = 1,
    parameter int OUT_BITS = 8,
    parameter bit OUT_BIPOLAR = 0,
    parameter PARAMETERS = "",
    parameter PARAMETERS_2 = "",
    parameter bit [95:0] PARAMETER_STYLE = "logic",
    parameter int LEVELS = 1,
    parameter int PARAM_BITS = 8,
    parameter int STEP_BITS = 1,
    parameter int BASE = 0,
    parameter int STEP = 1,
    parameter int FACTOR = 8,
    parameter int ADDEND = 8,
    parameter int SHIFT = 0,
    parameter longint LOW = 0,
    parameter longint HIGH = 0,
    parameter bit HALF_EVEN = 0,
    parameter int LATE = 0,
    parameter int LATE_ROWS = 1,
    parameter int ENTRIES = 1,
    parameter int DELAY = 0,
    localparam int LANES = PE * COPIES,
    localparam int WORD = LANES * TERMS * W_BITS,
    localparam int BEAT = PIXELS * PE * TERMS * X_BITS
) (
    input logic clk,
    input logic rst,
    input logic [BEAT-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    input logic [WORD-1:0] weights_data,
    input logic weights_valid,
    output logic weights_ready,
    output logic [PIXELS*LANES*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic enable, available, last;
  logic [(FOLDS > 1 ? $clog2(FOLDS) : 1)-1:0] fold;
  wire go = enable && in_valid;
  wire fire = go && available;
  assign in_ready = enable && available;
  flowc_count #(.COUNT(FOLDS)) folds (.clk, .rst, .step(fire), .value(fold), .last);
  logic [BEAT-1:0] x;
  always_ff @(posedge clk) if (enable) x <= in_data;

  flowc_products #(
      .LANES(LANES), .TERMS(TERMS), .PIXELS(PIXELS), .SHARED(0), .GROUPS(PE), .FOLDS(FOLDS), .DEPTH(BLOCKS * FOLDS), .W_BITS(W_BITS), .W_KIND(W_KIND), .X_BITS(X_BITS),
      .X_KIND(X_KIND), .SUM(SUM), .STAGES(STAGES), .DOT_STYLE(DOT_STYLE), .WEIGHTS(WEIGHTS), .WEIGHT_STYLE(WEIGHT_STYLE),
      .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) products (
      .clk, .rst, .x, .go, .fire, .first(fold == '0), .last, .available, .enable,
      .weights_data, .weights_valid, .weights_ready, .out_data, .out_valid, .out_ready);
endmodule
