// Dot products of ROWS rows of weights with the same TERMS inputs, several products to a DSP slice (flowc_mac), STAGES + 1 cycles
// later. Weights come as [ROWS][TERMS][W_BITS], inputs as [TERMS][X_BITS].
//
// The weights of a term lie FIELD bits apart in one factor: each as an unsigned code u, from which the slice takes OFFSET, so that signed
// weights (u - 2^(W_BITS - 1); of signs 2 u - 1) need no tables. Slices are chained, CHAIN products to a sum, so that a slice adds what the
// one before it gives: inputs come to each a cycle later, through registers of the slice as far as it has them. The first slice of a
// chain adds to every field what makes it positive, so that fields are taken apart by wires alone. The sums are too large by LEAST for
// every term, which whoever adds them up takes off (flowc_accumulate).
//
// With KNOWN, sums reach as many bits into the next field, where KNOWN < W_BITS (and LEAST is a multiple of 2^KNOWN): the lower bits of
// every row's sum but the first's are computed in tables, too (flowc_remainder). What a field's lower bits differ from them by came from the
// field below: it is that one's upper bits, and if the row's own lower bits overflowed from it, that is taken off its upper bits.
//
// With CODED, signed weights come as codes already.
module flowc_dot_packed #(
    parameter int ROWS = 2,
    parameter int FIELD = 18,
    parameter int CHAIN = 4,
    parameter int KNOWN = 0,
    parameter int TERMS = 8,
    parameter int W_BITS = 8,
    parameter int W_KIND = 1,
    parameter bit CODED = 0,
    parameter int X_BITS = 8,
    parameter int X_KIND = 0,
    parameter int LEAST = 0,
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
  localparam int SHIFT = W_KIND == 2 ? 1 : 0;  // of a code
  localparam int WIDE = (ROWS - 1) * FIELD + W_BITS + SHIFT + 1;
  localparam int WHOLE = ROWS * FIELD + KNOWN;
  localparam int VALUE = FIELD + KNOWN + 1;
  // A number in every field
  function automatic bit [47:0] everywhere(int number);
    everywhere = '0;
    for (int r = 0; r < ROWS; r++) everywhere += 48'(number) << (r * FIELD);
  endfunction
  localparam bit [26:0] OFFSET = 27'(W_KIND == 0 ? '0 : -everywhere(W_KIND == 1 ? 1 << (W_BITS - 1) : 1));

  logic signed [X_VALUE-1:0] values[TERMS];
  for (genvar t = 0; t < TERMS; t++) begin : g_value
    flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(x[t*X_BITS+:X_BITS]), .value(values[t]));
  end

  logic [ROWS-1:0][CHAINS-1:0][VALUE-1:0] fields;
  logic [ROWS-1:0][CHAINS-1:0][1:0] borrows;
  for (genvar c = 0; c < CHAINS; c++) begin : g_chain
    localparam int SLICES = TERMS - c * CHAIN < CHAIN ? TERMS - c * CHAIN : CHAIN;
    logic [47:0] sums_of[SLICES+1];
    assign sums_of[0] = '0;
    for (genvar s = 0; s < SLICES; s++) begin : g_slice
      localparam int T = c * CHAIN + s;
      localparam int INSIDE = s < 2 ? s : 2;  // registers of a slice
      localparam int BEFORE = s - INSIDE;
      logic [ROWS*W_BITS-1:0] own, weights;
      logic signed [X_VALUE-1:0] value;
      for (genvar r = 0; r < ROWS; r++) begin : g_own
        assign own[r*W_BITS+:W_BITS] = w[(r*TERMS+T)*W_BITS+:W_BITS];
      end
      if (BEFORE == 0) begin : g_direct
        assign weights = own;
        assign value = values[T];
      end else begin : g_later
        // A register of its own for every step: of an array, simulators copy each element by way of another.
        for (genvar i = 0; i < BEFORE; i++) begin : g_step
          logic [ROWS*W_BITS+X_VALUE-1:0] held;
          if (i == 0) begin : g_first
            always_ff @(posedge clk) if (enable) held <= {own, values[T]};
          end else begin : g_next
            always_ff @(posedge clk) if (enable) held <= g_step[i-1].held;
          end
        end
        assign {weights, value} = g_step[BEFORE-1].held;
      end
      logic signed [WIDE-1:0] codes;
      always_comb begin
        codes = '0;
        for (int r = 0; r < ROWS; r++) begin
          codes[r*FIELD+SHIFT+:W_BITS] = weights[r*W_BITS+:W_BITS];
          if (W_KIND == 1 && !CODED) codes[r*FIELD+W_BITS-1] = !weights[r*W_BITS+W_BITS-1];
        end
      end
      logic [47:0] sum;
      flowc_mac #(
          .A_BITS(WIDE), .B_BITS(X_VALUE), .C_BITS(48), .OFFSET(OFFSET), .INPUTS(INSIDE), .CHAINED(s > 0), .ADDS(s == 0)
      ) slice (
          .clk, .enable, .a(codes), .b(value), .c(everywhere(SLICES * LEAST)), .chain_in(sums_of[s]), .chain_out(sums_of[s+1]), .sum);
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
    if (KNOWN == 0) begin : g_apart
      for (genvar r = 0; r < ROWS; r++) begin : g_field
        assign fields[r][c] = {1'b0, done[r*FIELD+:FIELD]};
        assign borrows[r][c] = '0;
      end
    end else begin : g_overlapping
      logic [KNOWN-1:0] lower[ROWS], upper[ROWS];
      assign lower[0] = done[KNOWN-1:0];
      assign upper[ROWS-1] = done[ROWS*FIELD+:KNOWN];
      assign borrows[0][c] = '0;
      for (genvar r = 1; r < ROWS; r++) begin : g_known
        logic [SLICES*KNOWN-1:0] weights, inputs;
        for (genvar s = 0; s < SLICES; s++) begin : g_factor
          assign weights[s*KNOWN+:KNOWN] = w[(r*TERMS+c*CHAIN+s)*W_BITS+:KNOWN];
          assign inputs[s*KNOWN+:KNOWN] = KNOWN'(values[c*CHAIN+s]);
        end
        logic borrow;
        flowc_remainder #(.COUNT(SLICES), .BITS(KNOWN), .LATENCY(LENGTH + 1)) remainder (
            .clk, .enable, .a(weights), .b(inputs), .sum(lower[r]));
        flowc_small #(.OPERATION("subtract"), .BITS(KNOWN)) below (
            .a(done[r*FIELD+:KNOWN]), .b(lower[r]), .result(upper[r-1]), .carry(borrow));
        assign borrows[r][c] = {1'b0, borrow};
      end
      for (genvar r = 0; r < ROWS; r++) begin : g_field
        assign fields[r][c] = {1'b0, upper[r], done[r*FIELD+KNOWN+:FIELD-KNOWN], lower[r]};
      end
    end
  end

  for (genvar r = 0; r < ROWS; r++) begin : g_row
    localparam int LEVELS = $clog2(CHAINS);
    logic signed [VALUE+LEVELS-1:0] total;
    flowc_tree #(.COUNT(CHAINS), .BITS(VALUE), .STAGES(REST)) chains (.clk, .enable, .terms(fields[r]), .sum(total));
    wire unused = &{1'b0, total};
    if (KNOWN == 0 || r == 0) begin : g_sum
      wire unused_borrows = &{1'b0, borrows[r]};
      assign sums[r*SUM+:SUM] = SUM'(total);
    end else begin : g_less
      logic signed [LEVELS+1:0] borrowed;
      flowc_tree #(.COUNT(CHAINS), .BITS(2), .STAGES(REST)) count (.clk, .enable, .terms(borrows[r]), .sum(borrowed));
      wire signed [VALUE+LEVELS-1:0] own = {total[VALUE+LEVELS-1:KNOWN] - (FIELD + 1 + LEVELS)'(borrowed), total[KNOWN-1:0]};
      assign sums[r*SUM+:SUM] = SUM'(own);
      wire unused_own = &{1'b0, own};
    end
  end
endmodule
