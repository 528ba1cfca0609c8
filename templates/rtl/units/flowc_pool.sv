// The maximum or sum of the TERMS taps of each of BEATS beats in a row, PE lanes in parallel, then the activation. Beats are
// [TERMS][PE], or, with several positions of CHANNELS lanes each, [PE / CHANNELS][TERMS][CHANNELS].
module flowc_pool #(
    parameter int PE = 1,
    parameter int CHANNELS = PE,
    parameter int TERMS = 1,
    parameter int BEATS = 4,
    parameter bit MAXIMUM = 1,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int SUM = 8,
    parameter int STAGES = 0,
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
    parameter int DELAY = 0
) (
    input logic clk,
    input logic rst,
    input logic [TERMS*PE*X_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [PE*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  logic enable, last;
  logic [(BEATS > 1 ? $clog2(BEATS) : 1)-1:0] beat;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_count #(.COUNT(BEATS)) beats (.clk, .rst, .step(fire), .value(beat), .last);

  // The beat's taps become one in STAGES cycles.
  logic reduced, first, final_;
  if (STAGES == 0) begin : g_now
    assign reduced = fire;
    assign first = beat == '0;
    assign final_ = last;
  end else begin : g_later
    logic [STAGES-1:0] valids, firsts, lasts;
    always_ff @(posedge clk)
      if (enable) begin
        firsts <= STAGES'({firsts, beat == '0});
        lasts <= STAGES'({lasts, last});
      end
    always_ff @(posedge clk)
      if (rst) valids <= '0;
      else if (enable) valids <= STAGES'({valids, fire});
    assign reduced = enable && valids[STAGES-1];
    assign first = firsts[STAGES-1];
    assign final_ = lasts[STAGES-1];
  end
  logic [PE*SUM-1:0] sums;
  logic sums_valid;
  always_ff @(posedge clk)
    if (rst) sums_valid <= 1'b0;
    else if (enable) sums_valid <= reduced && final_;
  for (genvar p = 0; p < PE; p++) begin : g_lane
    logic [TERMS*SUM-1:0] taps;
    for (genvar t = 0; t < TERMS; t++) begin : g_tap
      logic signed [VALUE-1:0] value;
      flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(in_data[((p/CHANNELS*TERMS+t)*CHANNELS+p%CHANNELS)*X_BITS+:X_BITS]), .value);
      assign taps[t*SUM+:SUM] = SUM'(value);
    end
    logic signed [SUM-1:0] wide, sum;
    flowc_reduce #(.COUNT(TERMS), .BITS(SUM), .MAXIMUM(MAXIMUM), .STAGES(STAGES)) reduce (
        .clk, .enable, .terms(taps), .result(wide));
    if (MAXIMUM) begin : g_maximum
      logic found;
      flowc_at_least #(.A_BITS(SUM), .B_BITS(SUM)) compare (.a(wide), .b(sum), .found);
      always_ff @(posedge clk) if (reduced && (first || found)) sum <= wide;
    end else begin : g_sum
      always_ff @(posedge clk) if (reduced) sum <= (first ? '0 : sum) + wide;
    end
    assign sums[p*SUM+:SUM] = sum;
  end

  flowc_result #(
      .LANES(PE), .VALUE(SUM), .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) result (.clk, .rst, .values(sums), .valid(sums_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
