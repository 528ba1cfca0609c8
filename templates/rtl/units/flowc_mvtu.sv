// Matrix-vector-threshold unit: PE rows of a matrix by SIMD inputs per cycle, then the activation.
//
// Loops over positions, groups, row folds, column folds. The first row fold takes the inputs, which are held for the others. With PIXELS
// above 1 a beat holds so many positions, each computed whole by lanes of its own: there are no folds and no groups.
module flowc_mvtu #(
    parameter int PE = 1,
    parameter int SIMD = 1,
    parameter int PIXELS = 1,
    parameter int GROUPS = 1,
    parameter int ROW_FOLDS = 1,
    parameter int COLUMN_FOLDS = 1,
    parameter int W_BITS = 4,
    parameter int W_KIND = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int SUM = 16,
    parameter int STAGES = 0,
    parameter bit [95:0] DOT_STYLE = "heap",
    parameter int PACKED_ROWS = 1,
    parameter int FIELD = 18,
    parameter int CHAIN = 1,
    parameter int KNOWN = 0,
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
    localparam int WORD = PE * SIMD * W_BITS,
    localparam int BEAT = PIXELS * SIMD * X_BITS
) (
    input logic clk,
    input logic rst,
    input logic [BEAT-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    input logic [WORD-1:0] weights_data,
    input logic weights_valid,
    output logic weights_ready,
    output logic [PIXELS*PE*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int CW = COLUMN_FOLDS > 1 ? $clog2(COLUMN_FOLDS) : 1, RW = ROW_FOLDS > 1 ? $clog2(ROW_FOLDS) : 1;
  logic enable, available, last_column, last_row;
  logic [CW-1:0] column;
  logic [RW-1:0] row;
  wire takes = row == '0;
  wire go = enable && (!takes || in_valid);
  wire fire = go && available;
  assign in_ready = enable && takes && available;
  flowc_count #(.COUNT(COLUMN_FOLDS)) columns (.clk, .rst, .step(fire), .value(column), .last(last_column));
  flowc_count #(.COUNT(ROW_FOLDS)) rows (.clk, .rst, .step(fire && last_column), .value(row), .last(last_row));
  wire unused = &{1'b0, last_row};

  // The inputs of a position: taken with the first row fold, held for the others. They are read a cycle later, when the memory has
  // those that were just taken, too.
  logic [BEAT-1:0] x;
  if (ROW_FOLDS == 1) begin : g_passing
    always_ff @(posedge clk) if (enable) x <= in_data;
  end else if (COLUMN_FOLDS == 1) begin : g_one
    always_ff @(posedge clk) if (fire && takes) x <= in_data;
  end else begin : g_held
    (* ram_style = "distributed" *) logic [BEAT-1:0] held[COLUMN_FOLDS];
    logic [CW-1:0] read_at;
    always_ff @(posedge clk) if (fire && takes) held[column] <= in_data;
    always_ff @(posedge clk) if (enable) read_at <= column;
    assign x = held[read_at];
  end

  flowc_products #(
      .LANES(PE), .TERMS(SIMD), .PIXELS(PIXELS), .FOLDS(COLUMN_FOLDS), .DEPTH(GROUPS * ROW_FOLDS * COLUMN_FOLDS),
      .W_BITS(W_BITS), .W_KIND(W_KIND), .X_BITS(X_BITS),
      .X_KIND(X_KIND), .SUM(SUM), .STAGES(STAGES), .DOT_STYLE(DOT_STYLE), .PACKED_ROWS(PACKED_ROWS), .FIELD(FIELD), .CHAIN(CHAIN),
      .KNOWN(KNOWN), .WEIGHTS(WEIGHTS), .WEIGHT_STYLE(WEIGHT_STYLE),
      .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) products (
      .clk, .rst, .x, .go, .fire, .first(column == '0), .last(last_column), .available, .enable,
      .weights_data, .weights_valid, .weights_ready, .out_data, .out_valid, .out_ready);
endmodule
