// Matrix-vector-threshold unit: PE rows of a matrix by SIMD inputs per cycle, then the activation.
//
// Loops over positions, groups, row folds, column folds. The first row fold takes the inputs, which are held for the others.
module flowc_mvtu #(
    parameter int PE = 1,
    parameter int SIMD = 1,
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
    localparam int BEAT = SIMD * X_BITS
) (
    input logic clk,
    input logic rst,
    input logic [BEAT-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    input logic [WORD-1:0] weights_data,
    input logic weights_valid,
    output logic weights_ready,
    output logic [PE*OUT_BITS-1:0] out_data,
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

  logic [WORD-1:0] word;
  flowc_weights #(
      .WIDTH(WORD), .DEPTH(GROUPS * ROW_FOLDS * COLUMN_FOLDS), .FILE(WEIGHTS), .STYLE(WEIGHT_STYLE)
  ) weights (
      .clk, .rst, .enable, .take(WEIGHT_STYLE == "stream" ? go : fire), .available, .word,
      .weights_data, .weights_valid, .weights_ready);

  // The inputs of a position: taken with the first row fold, held for the others.
  logic [BEAT-1:0] x;
  if (ROW_FOLDS == 1) begin : g_passing
    assign x = in_data;
  end else if (COLUMN_FOLDS == 1) begin : g_one
    logic [BEAT-1:0] held;
    always_ff @(posedge clk) if (fire && takes) held <= in_data;
    assign x = takes ? in_data : held;
  end else begin : g_held
    (* ram_style = "distributed" *) logic [BEAT-1:0] held[COLUMN_FOLDS];
    always_ff @(posedge clk) if (fire && takes) held[column] <= in_data;
    assign x = takes ? in_data : held[column];
  end

  // On a heap, factors lie as planes; constants of a memory do so from the start.
  logic [BEAT-1:0] x_0;
  logic [WORD-1:0] factors;
  if (DOT_STYLE == "heap") begin : g_planes
    flowc_planes #(.COUNT(SIMD), .BITS(X_BITS)) inputs (.elements(x), .planes(x_0));
    if (WEIGHT_STYLE == "stream" || WEIGHT_STYLE == "ultra") begin : g_arriving
      for (genvar p = 0; p < PE; p++) begin : g_row
        localparam int ROW = SIMD * W_BITS;
        flowc_planes #(.COUNT(SIMD), .BITS(W_BITS)) rows (.elements(word[p*ROW+:ROW]), .planes(factors[p*ROW+:ROW]));
      end
    end else begin : g_constant
      assign factors = word;
    end
  end else begin : g_elements
    assign x_0 = x;
    assign factors = word;
  end

  // Two cycles, as long as a weight takes.
  logic [BEAT-1:0] x_1, x_2;
  logic [1:0] valids, firsts, lasts;
  always_ff @(posedge clk)
    if (enable) begin
      x_1 <= x_0;
      x_2 <= x_1;
      firsts <= {firsts[0], column == '0};
      lasts <= {lasts[0], last_column};
    end
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[0], fire};

  logic [PE*SUM-1:0] sums;
  logic sums_valid;
  flowc_accumulate #(
      .STYLE(DOT_STYLE), .LANES(PE), .TERMS(SIMD), .W_BITS(W_BITS), .W_KIND(W_KIND), .X_BITS(X_BITS), .X_KIND(X_KIND), .SUM(SUM), .STAGES(STAGES)
  ) products (
      .clk, .rst, .enable, .valid(valids[1]), .first(firsts[1]), .last(lasts[1]), .w(factors), .x(x_2), .sums, .sums_valid);

  logic [PE*OUT_BITS-1:0] data;
  logic valid;
  flowc_activation #(
      .FORM(FORM), .LANES(PE), .ROWS(ROWS), .VALUE(SUM), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .FILE(PARAMETERS),
      .FILE_2(PARAMETERS_2), .STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS), .STEP_BITS(STEP_BITS),
      .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES)
  ) activation (.clk, .rst, .enable, .values(sums), .valid(sums_valid), .results(data), .results_valid(valid));
  flowc_emit #(.WIDTH(PE * OUT_BITS), .DELAY(DELAY)) emit (
      .clk, .rst, .data, .valid, .enable, .out_data, .out_valid, .out_ready);
endmodule
