// Dot products for LANES results, and their sums over the FOLDS beats from `first` to `last`. 2 + STAGES cycles.
//
// With SHARED, all lanes have the same inputs, [TERMS]; else x is [TERMS][GROUPS], and LANES / GROUPS lanes in a row share a group.
// STYLE is that of flowc_dot, or "packed": ROWS lanes share a slice (flowc_dot_packed, FIELD, CHAIN, KNOWN, CODED), all are SHARED.
// Weights are [LANES][TERMS] if SHARED, else [TERMS][LANES]. If SHARED and STYLE is "heap", inputs and each lane's weights are planes.
module flowc_accumulate #(
    parameter bit [95:0] STYLE = "heap",
    parameter int LANES = 1,
    parameter int TERMS = 1,
    parameter bit SHARED = 1,
    parameter int GROUPS = 1,
    parameter int FOLDS = 1,
    parameter int W_BITS = 4,
    parameter int W_KIND = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int SUM = 16,
    parameter int STAGES = 0,
    parameter int ROWS = 1,
    parameter int FIELD = 18,
    parameter int CHAIN = 1,
    parameter int KNOWN = 0,
    parameter bit CODED = 0
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic valid,
    input logic first,
    input logic last,
    input logic [LANES*TERMS*W_BITS-1:0] w,
    input logic [GROUPS*TERMS*X_BITS-1:0] x,
    output logic [LANES*SUM-1:0] sums,
    output logic sums_valid
);
  localparam int LATENCY = 1 + STAGES;
  // Heaps count some products complemented, each too large by a constant (flowc_dot_integer, flowc_dot_bipolar): sums begin below.
  function automatic bit [SUM-1:0] excess();
    excess = '0;
    if (W_KIND == 2 || X_KIND == 2) begin
      if (W_KIND == X_KIND) excess = SUM'(TERMS);
      else if (W_KIND == 2) excess = SUM'(TERMS) << (X_KIND == 1 ? X_BITS - 1 : X_BITS);
      else excess = SUM'(TERMS) << (W_KIND == 1 ? W_BITS - 1 : W_BITS);
    end else begin
      for (int i = 0; i < W_BITS; i++)
        for (int j = 0; j < X_BITS; j++)
          if ((W_KIND == 1 && i == W_BITS - 1) ^ (X_KIND == 1 && j == X_BITS - 1)) excess += SUM'(TERMS) << (i + j);
    end
  endfunction
  // Of packed products each is too large by as much as the least one is negative.
  function automatic int least();
    int low = X_KIND == 0 ? 0 : X_KIND == 1 ? -(1 << (X_BITS - 1)) : -1;
    int high = X_KIND == 2 ? 1 : (1 << (X_KIND == 1 ? X_BITS - 1 : X_BITS)) - 1;
    int w_low = W_KIND == 0 ? 0 : W_KIND == 1 ? -(1 << (W_BITS - 1)) : -1;
    int w_high = W_KIND == 2 ? 1 : (1 << (W_KIND == 1 ? W_BITS - 1 : W_BITS)) - 1;
    least = -w_low * high > -w_high * low ? -w_low * high : -w_high * low;
  endfunction
  localparam int LEAST = STYLE == "packed" ? least() : 0;
  localparam bit [SUM-1:0] BEGIN = STYLE == "heap" ? -(SUM'(FOLDS) * excess()) : -(SUM'(FOLDS * TERMS) * SUM'(LEAST));
  logic [LATENCY-1:0] valids, firsts, lasts;
  always_ff @(posedge clk)
    if (enable) begin
      firsts <= LATENCY'({firsts, first});
      lasts <= LATENCY'({lasts, last});
    end
  always_ff @(posedge clk)
    if (rst) valids <= '0;
    else if (enable) valids <= LATENCY'({valids, valid});
  wire summed = valids[LATENCY-1];
  always_ff @(posedge clk)
    if (rst) sums_valid <= 1'b0;
    else if (enable) sums_valid <= summed && lasts[LATENCY-1];

  logic [LANES*SUM-1:0] products;
  if (STYLE == "packed") begin : g_packed
    for (genvar g = 0; g * ROWS < LANES; g++) begin : g_group
      localparam int OWN = LANES - g * ROWS < ROWS ? LANES - g * ROWS : ROWS;
      flowc_dot_packed #(
          .ROWS(OWN), .FIELD(FIELD), .CHAIN(CHAIN), .KNOWN(KNOWN), .TERMS(TERMS), .W_BITS(W_BITS), .W_KIND(W_KIND),
          .CODED(CODED), .X_BITS(X_BITS), .X_KIND(X_KIND), .LEAST(LEAST), .SUM(SUM), .STAGES(STAGES)
      ) dot (
          .clk, .enable, .w(w[g*ROWS*TERMS*W_BITS+:OWN*TERMS*W_BITS]), .x, .sums(products[g*ROWS*SUM+:OWN*SUM]));
    end
  end else begin : g_single
    for (genvar l = 0; l < LANES; l++) begin : g_lane
      logic [TERMS*W_BITS-1:0] lane_w;
      logic [TERMS*X_BITS-1:0] lane_x;
      if (SHARED) begin : g_shared
        assign lane_w = w[l*TERMS*W_BITS+:TERMS*W_BITS];
        assign lane_x = x;
      end else begin : g_own
        logic [TERMS*W_BITS-1:0] own_w;
        logic [TERMS*X_BITS-1:0] own_x;
        for (genvar t = 0; t < TERMS; t++) begin : g_term
          assign own_w[t*W_BITS+:W_BITS] = w[(t*LANES+l)*W_BITS+:W_BITS];
          assign own_x[t*X_BITS+:X_BITS] = x[(t*GROUPS+l/(LANES/GROUPS))*X_BITS+:X_BITS];
        end
        if (STYLE == "heap") begin : g_planes
          flowc_planes #(.COUNT(TERMS), .BITS(W_BITS)) weights (.elements(own_w), .planes(lane_w));
          flowc_planes #(.COUNT(TERMS), .BITS(X_BITS)) inputs (.elements(own_x), .planes(lane_x));
        end else begin : g_elements
          assign lane_w = own_w;
          assign lane_x = own_x;
        end
      end
      flowc_dot #(
          .STYLE(STYLE), .TERMS(TERMS), .W_BITS(W_BITS), .W_KIND(W_KIND), .X_BITS(X_BITS), .X_KIND(X_KIND), .SUM(SUM),
          .STAGES(STAGES)
      ) dot (.clk, .enable, .w(lane_w), .x(lane_x), .sum(products[l*SUM+:SUM]));
    end
  end

  for (genvar l = 0; l < LANES; l++) begin : g_sum
    logic signed [SUM-1:0] sum;
    always_ff @(posedge clk)
      if (enable && summed) sum <= (firsts[LATENCY-1] ? $signed(BEGIN) : sum) + $signed(products[l*SUM+:SUM]);
    assign sums[l*SUM+:SUM] = sum;
  end
endmodule
