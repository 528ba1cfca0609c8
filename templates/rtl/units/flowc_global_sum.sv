// The sum over all POSITIONS of a frame, PE channels in parallel, BLOCKS beats a position, then the activation. The sums leave
// during the last position.
module flowc_global_sum #(
    parameter int PE = 1,
    parameter int BLOCKS = 1,
    parameter int POSITIONS = 4,
    parameter int X_BITS = 4,
    parameter int X_KIND = 0,
    parameter int SUM = 8,
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
    input logic [PE*X_BITS-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [PE*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int VALUE = X_KIND == 1 ? X_BITS : X_BITS + 1;
  localparam int BW = BLOCKS > 1 ? $clog2(BLOCKS) : 1;
  logic enable, last_block, last;
  logic [BW-1:0] block;
  logic [(POSITIONS > 1 ? $clog2(POSITIONS) : 1)-1:0] position;
  wire fire = enable && in_valid;
  assign in_ready = enable;
  flowc_count #(.COUNT(BLOCKS)) blocks (.clk, .rst, .step(fire), .value(block), .last(last_block));
  flowc_count #(.COUNT(POSITIONS)) positions (.clk, .rst, .step(fire && last_block), .value(position), .last);

  // Nothing is kept of the first position. A block's sum is fetched with the beat in front of it.
  logic first;
  always_ff @(posedge clk)
    if (rst) first <= 1'b1;
    else if (fire && last_block) first <= last;
  wire unused = &{1'b0, position};
  logic [PE*SUM-1:0] kept, added, sums;
  if (BLOCKS == 1) begin : g_one
    assign kept = sums;
    wire unused_block = &{1'b0, block};
  end else begin : g_memory
    (* ram_style = "distributed" *) logic [PE*SUM-1:0] content[BLOCKS];
    wire [BW-1:0] next = last_block ? '0 : block + 1'b1;
    always_ff @(posedge clk)
      if (fire) begin
        content[block] <= added;
        kept <= content[next];
      end
  end
  for (genvar p = 0; p < PE; p++) begin : g_lane
    logic signed [VALUE-1:0] value;
    flowc_value #(.BITS(X_BITS), .KIND(X_KIND)) decode (.element(in_data[p*X_BITS+:X_BITS]), .value);
    assign added[p*SUM+:SUM] = (first ? '0 : kept[p*SUM+:SUM]) + SUM'(value);
  end
  logic sums_valid;
  always_ff @(posedge clk) if (fire) sums <= added;
  always_ff @(posedge clk)
    if (rst) sums_valid <= 1'b0;
    else if (enable) sums_valid <= fire && last;

  flowc_result #(
      .LANES(PE), .VALUE(SUM), .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) result (.clk, .rst, .values(sums), .valid(sums_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
