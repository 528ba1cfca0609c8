// The pipeline of a matrix or depthwise unit: a word of weights for every beat of inputs, LANES dot products of TERMS each, their sums
// over the FOLDS beats from `first` to `last`, the activation, the stream.
//
// PIXELS positions go side by side, each with inputs and lanes of its own; they share the weights.
// A beat enters with `fire`, its inputs `x` a step later; `go` says that it would, were its weights available. SHARED and GROUPS as of flowc_accumulate; the
// activation's parameters as of flowc_result; PACKED_ROWS, FIELD, CHAIN and KNOWN are flowc_accumulate's. Weights are DEPTH words of LANES * TERMS elements; if SHARED on a heap, those of the
// bitstream are planes per lane from the start; if packed, codes (flowc_dot_packed).
module flowc_products #(
    parameter int LANES = 1,
    parameter int TERMS = 1,
    parameter int PIXELS = 1,
    parameter bit SHARED = 1,
    parameter int GROUPS = 1,
    parameter int FOLDS = 1,
    parameter int DEPTH = 1,
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
    localparam int WORD = LANES * TERMS * W_BITS,
    localparam int OWN = GROUPS * TERMS * X_BITS,
    localparam int BEAT = PIXELS * OWN
) (
    input logic clk,
    input logic rst,
    input logic [BEAT-1:0] x,
    input logic go,
    input logic fire,
    input logic first,
    input logic last,
    output logic available,
    output logic enable,
    input logic [WORD-1:0] weights_data,
    input logic weights_valid,
    output logic weights_ready,
    output logic [PIXELS*LANES*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic [WORD-1:0] word, factors;
  flowc_weights #(.WIDTH(WORD), .DEPTH(DEPTH), .FILE(WEIGHTS), .STYLE(WEIGHT_STYLE)) weights (
      .clk, .rst, .enable, .take(WEIGHT_STYLE == "stream" ? go : fire), .available, .word,
      .weights_data, .weights_valid, .weights_ready);

  // On a heap, what lanes share lies as planes.
  logic [BEAT-1:0] x_1, x_2;
  if (DOT_STYLE == "heap" && SHARED) begin : g_planes
    for (genvar q = 0; q < PIXELS; q++) begin : g_pixel
      flowc_planes #(.COUNT(TERMS), .BITS(X_BITS)) inputs (.elements(x[q*OWN+:OWN]), .planes(x_1[q*OWN+:OWN]));
    end
    if (WEIGHT_STYLE == "stream" || WEIGHT_STYLE == "ultra") begin : g_arriving
      for (genvar l = 0; l < LANES; l++) begin : g_row
        localparam int ROW = TERMS * W_BITS;
        flowc_planes #(.COUNT(TERMS), .BITS(W_BITS)) rows (.elements(word[l*ROW+:ROW]), .planes(factors[l*ROW+:ROW]));
      end
    end else begin : g_constant
      assign factors = word;
    end
  end else begin : g_elements
    assign x_1 = x;
    assign factors = word;
  end

  // Two cycles, as long as a weight takes.
  logic [1:0] valids, firsts, lasts;
  always_ff @(posedge clk)
    if (enable) begin
      x_2 <= x_1;
      firsts <= {firsts[0], first};
      lasts <= {lasts[0], last};
    end
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= {valids[0], fire};

  logic [PIXELS*LANES*SUM-1:0] sums;
  logic [PIXELS-1:0] sums_valids;
  for (genvar q = 0; q < PIXELS; q++) begin : g_position
    flowc_accumulate #(
        .STYLE(DOT_STYLE), .LANES(LANES), .TERMS(TERMS), .SHARED(SHARED), .GROUPS(GROUPS), .FOLDS(FOLDS),
        .W_BITS(W_BITS), .W_KIND(W_KIND), .X_BITS(X_BITS), .X_KIND(X_KIND), .SUM(SUM), .STAGES(STAGES),
        .ROWS(PACKED_ROWS), .FIELD(FIELD), .CHAIN(CHAIN), .KNOWN(KNOWN),
        .CODED(WEIGHT_STYLE != "stream" && WEIGHT_STYLE != "ultra")
    ) accumulate (
        .clk, .rst, .enable, .valid(valids[1]), .first(firsts[1]), .last(lasts[1]), .w(factors), .x(x_2[q*OWN+:OWN]),
        .sums(sums[q*LANES*SUM+:LANES*SUM]), .sums_valid(sums_valids[q]));
  end
  wire sums_valid = &sums_valids;
  flowc_result #(
      .LANES(PIXELS * LANES), .VALUE(SUM), .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) result (.clk, .rst, .values(sums), .valid(sums_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
