// Two streams into one, PE channels in parallel, then the activation. With PRODUCT (left - LEFT_OFFSET) * (right - RIGHT_OFFSET),
// else left * left scale + right * right scale: LEFT_FACTOR and RIGHT_FACTOR, or, with SCALE_ROWS, of a row of SCALES that holds per lane
// the two scales, of LEFT_SCALE and RIGHT_SCALE bits.
module flowc_join #(
    parameter int PE = 1,
    parameter bit PRODUCT = 0,
    parameter int LEFT_BITS = 4,
    parameter int LEFT_KIND = 0,
    parameter int RIGHT_BITS = 4,
    parameter int RIGHT_KIND = 0,
    parameter int LEFT_OFFSET = 0,
    parameter int RIGHT_OFFSET = 0,
    parameter int LEFT_SCALE = 2,
    parameter int RIGHT_SCALE = 2,
    parameter bit signed [63:0] LEFT_FACTOR = 1,
    parameter bit signed [63:0] RIGHT_FACTOR = 1,
    parameter int SCALE_ROWS = 0,
    parameter SCALES = "",
    parameter int WIDE = 16,
    parameter int SUM = 16,
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
    input logic [PE*(LEFT_BITS+RIGHT_BITS)-1:0] in_data,
    input logic [1:0] in_valid,
    output logic [1:0] in_ready,
    output logic [PE*OUT_BITS-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  localparam int LEFT = LEFT_KIND == 1 ? LEFT_BITS : LEFT_BITS + 1, RIGHT = RIGHT_KIND == 1 ? RIGHT_BITS : RIGHT_BITS + 1;
  logic enable, scaled, sums_valid;
  wire fire = enable && &in_valid;
  assign in_ready = {2{fire}};
  always_ff @(posedge clk)
    if (rst) {sums_valid, scaled} <= '0;
    else if (enable) {sums_valid, scaled} <= {scaled, fire};
  logic [PE*(LEFT_SCALE+RIGHT_SCALE)-1:0] row;
  if (SCALE_ROWS == 0) begin : g_no_scales
    assign row = '0;
    wire unused = &{1'b0, row};
  end else begin : g_scales
    flowc_rows #(.WIDTH(PE * (LEFT_SCALE + RIGHT_SCALE)), .ROWS(SCALE_ROWS), .FILE(SCALES), .STYLE("logic")) rows (
        .clk, .rst, .step(fire), .row);
  end
  logic [PE*SUM-1:0] sums;
  for (genvar p = 0; p < PE; p++) begin : g_lane
    logic signed [LEFT-1:0] a;
    logic signed [RIGHT-1:0] b;
    logic signed [WIDE-1:0] left, right, total;
    flowc_value #(.BITS(LEFT_BITS), .KIND(LEFT_KIND)) lefts (.element(in_data[p*LEFT_BITS+:LEFT_BITS]), .value(a));
    flowc_value #(.BITS(RIGHT_BITS), .KIND(RIGHT_KIND)) rights (
        .element(in_data[PE*LEFT_BITS+p*RIGHT_BITS+:RIGHT_BITS]), .value(b));
    if (PRODUCT) begin : g_product
      always_ff @(posedge clk)
        if (enable) begin
          left <= WIDE'(a) - WIDE'(LEFT_OFFSET);
          right <= WIDE'(b) - WIDE'(RIGHT_OFFSET);
          total <= left * right;
        end
    end else if (SCALE_ROWS == 0) begin : g_constant
      logic signed [WIDE-1:0] lefts_scaled, rights_scaled;
      flowc_constant #(.VALUE(LEFT), .FACTOR(LEFT_FACTOR), .OUT(WIDE)) scaled_left (.value(a), .product(lefts_scaled));
      flowc_constant #(.VALUE(RIGHT), .FACTOR(RIGHT_FACTOR), .OUT(WIDE)) scaled_right (.value(b), .product(rights_scaled));
      always_ff @(posedge clk)
        if (enable) begin
          left <= lefts_scaled;
          right <= rights_scaled;
          total <= left + right;
        end
    end else begin : g_sum
      localparam int AT = p * (LEFT_SCALE + RIGHT_SCALE);
      always_ff @(posedge clk)
        if (enable) begin
          left <= WIDE'(a) * WIDE'($signed(row[AT+:LEFT_SCALE]));
          right <= WIDE'(b) * WIDE'($signed(row[AT+LEFT_SCALE+:RIGHT_SCALE]));
          total <= left + right;
        end
    end
    wire unused = &{1'b0, total};
    assign sums[p*SUM+:SUM] = total[SUM-1:0];
  end

  flowc_result #(
      .LANES(PE), .VALUE(SUM), .FORM(FORM), .ROWS(ROWS), .OUT_BITS(OUT_BITS), .OUT_BIPOLAR(OUT_BIPOLAR), .PARAMETERS(PARAMETERS),
      .PARAMETERS_2(PARAMETERS_2), .PARAMETER_STYLE(PARAMETER_STYLE), .LEVELS(LEVELS), .PARAM_BITS(PARAM_BITS),
      .STEP_BITS(STEP_BITS), .BASE(BASE), .STEP(STEP), .FACTOR(FACTOR), .ADDEND(ADDEND), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH),
      .HALF_EVEN(HALF_EVEN), .LATE(LATE), .LATE_ROWS(LATE_ROWS), .ENTRIES(ENTRIES), .DELAY(DELAY)
  ) result (.clk, .rst, .values(sums), .valid(sums_valid), .enable, .out_data, .out_valid, .out_ready);
endmodule
