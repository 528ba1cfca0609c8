// Dot products of ROWS rows of weights with the same TERMS inputs, several products to a DSP slice (flowc_mac), STAGES + 1 cycles
// later. Weights come as [ROWS][TERMS][W_BITS], inputs as [TERMS][X_BITS].
//
// The weights of a term, each as an unsigned code u, lie FIELD bits apart in one factor (w = u - 2^(W_BITS - 1); of signs,
// w = 2 u - 1). Slices are chained, CHAIN products to a sum, so that a slice adds what the one before it gives: inputs come to each
// a cycle later, through registers of the slice as far as it has them. Then fields are taken apart; where inputs may be negative, a
// field lacks one if the field below is. What the codes are too large by is the sum of the inputs, which all rows share.
//
// With CODED, signed weights come as codes already.
module flowc_dot_packed #(
    parameter int ROWS = 2,
    parameter int FIELD = 18,
    parameter int CHAIN = 4,
    parameter int TERMS = 8,
    parameter int W_BITS = 8,
    parameter int W_KIND = 1,
    parameter bit CODED = 0,
    parameter int X_BITS = 8,
    parameter int X_KIND = 0,
    parameter int SUM = 24,
    parameter int STAGES = 5
) (
    input logic clk,
    input logic enable,
    input logic [ROWS*TERMS*W_BITS-1:0] w,
    input logic [TERMS*X_BITS-1:0] x,
    output logic [ROWS*SUM-1:0] sums
);
  localparam int CHAINS = (TERMS + CHAIN - 1) / CHAIN;
  localparam int LENGTH = CHAIN < TERMS ? CHAIN : TERMS;  // cycles of a chain, but for its first product
  localparam int REST = STAGES - LENGTH;  // registers of the adders behind
  localparam int X_VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  localparam int WIDE = (ROWS - 1) * FIELD + W_BITS + 1;
  localparam int WHOLE = ROWS * FIELD;
  localparam int INPUTS = X_VALUE + $clog2(TERMS + 1);
  localparam bit SIGNED = X_KIND != 0;

  // Inputs: of each slice, and their sum, when it is needed
  logic signed [X_VALUE-1:0] values[TERMS];
  for (genvar t = 0; t < TERMS; t++) begin : g_value
    flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(x[t*X_BITS+:X_BITS]), .value(values[t]));
  end
  logic signed [INPUTS-1:0] total, totals[STAGES+1];
  always_comb begin
    total = '0;
    for (int t = 0; t < TERMS; t++) total += INPUTS'(values[t]);
  end
  always_ff @(posedge clk)
    if (enable) begin
      totals[0] <= total;
      for (int i = 1; i <= STAGES; i++) totals[i] <= totals[i-1];
    end

  logic [ROWS-1:0][CHAINS-1:0][FIELD:0] fields;
  for (genvar c = 0; c < CHAINS; c++) begin : g_chain
    localparam int SLICES = TERMS - c * CHAIN < CHAIN ? TERMS - c * CHAIN : CHAIN;
    logic [47:0] sums_of[SLICES+1];
    assign sums_of[0] = '0;
    for (genvar s = 0; s < SLICES; s++) begin : g_slice
      localparam int T = c * CHAIN + s;
      localparam int INSIDE = s < 2 ? s : 2;  // registers of a slice
      localparam int BEFORE = s - INSIDE;
      logic [ROWS*W_BITS-1:0] own, later[BEFORE+1];
      logic signed [X_VALUE-1:0] value[BEFORE+1];
      for (genvar r = 0; r < ROWS; r++) begin : g_own
        assign own[r*W_BITS+:W_BITS] = w[(r*TERMS+T)*W_BITS+:W_BITS];
      end
      assign later[0] = own;
      assign value[0] = values[T];
      for (genvar i = 1; i <= BEFORE; i++) begin : g_later
        always_ff @(posedge clk)
          if (enable) begin
            later[i] <= later[i-1];
            value[i] <= value[i-1];
          end
      end
      logic signed [WIDE-1:0] codes;
      always_comb begin
        codes = '0;
        for (int r = 0; r < ROWS; r++) begin
          codes[r*FIELD+:W_BITS] = later[BEFORE][r*W_BITS+:W_BITS];
          if (W_KIND == 1 && !CODED) codes[r*FIELD+W_BITS-1] = !later[BEFORE][r*W_BITS+W_BITS-1];
        end
      end
      logic [47:0] sum;
      flowc_mac #(.A_BITS(WIDE), .B_BITS(X_VALUE), .C_BITS(1), .INPUTS(INSIDE), .CHAINED(s > 0)) slice (
          .clk, .enable, .a(codes), .b(value[BEFORE]), .c(1'b0), .chain_in(sums_of[s]), .chain_out(sums_of[s+1]), .sum);
      if (s < SLICES - 1) begin : g_passed
        wire unused = &{1'b0, sum};
      end
    end
    wire unused_chain = &{1'b0, sums_of[SLICES]};
    wire unused_bits = &{1'b0, g_slice[SLICES-1].sum};
    // The chain's sum, with those of the longest ones
    logic [WHOLE-1:0] ends[LENGTH-SLICES+1];
    assign ends[0] = g_slice[SLICES-1].sum[WHOLE-1:0];
    for (genvar i = 1; i <= LENGTH - SLICES; i++) begin : g_wait
      always_ff @(posedge clk) if (enable) ends[i] <= ends[i-1];
    end
    wire [WHOLE-1:0] done = ends[LENGTH-SLICES];
    for (genvar r = 0; r < ROWS; r++) begin : g_field
      wire [FIELD-1:0] part = done[r*FIELD+:FIELD];
      if (!SIGNED) begin : g_plain
        assign fields[r][c] = {1'b0, part};
      end else if (r == 0) begin : g_lowest
        assign fields[r][c] = {part[FIELD-1], part};
      end else begin : g_borrow
        assign fields[r][c] = {part[FIELD-1], part} + (FIELD + 1)'(done[r*FIELD-1]);
      end
    end
  end

  for (genvar r = 0; r < ROWS; r++) begin : g_row
    logic signed [FIELD+$clog2(CHAINS):0] coded;
    flowc_tree #(.COUNT(CHAINS), .BITS(FIELD + 1), .STAGES(REST)) chains (.clk, .enable, .terms(fields[r]), .sum(coded));
    wire unused = &{1'b0, coded};
    if (W_KIND == 0) begin : g_unsigned
      assign sums[r*SUM+:SUM] = SUM'(coded);
    end else if (W_KIND == 1) begin : g_signed
      assign sums[r*SUM+:SUM] = SUM'(coded) - (SUM'(totals[STAGES]) <<< (W_BITS - 1));
    end else begin : g_signs
      assign sums[r*SUM+:SUM] = (SUM'(coded) <<< 1) - SUM'(totals[STAGES]);
    end
  end
  wire unused_total = &{1'b0, totals[STAGES]};
endmodule
