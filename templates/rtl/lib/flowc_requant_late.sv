// As flowc_requant, for lines that enter some levels a few integers too early: the level counts only once so many integers, as the
// memory of the lane says, have passed since it was entered. 5 cycles.
//
// A lane's memory holds [LATE_ROWS][HIGH - LOW] numbers of LATE bits, in a file of its own: LATE_FILE, the lane's number in three
// digits, ".hex".
module flowc_requant_late #(
    parameter int LANES = 1,
    parameter int ROWS = 1,
    parameter int VALUE = 8,
    parameter int OUT_BITS = 4,
    parameter FILE = "",
    parameter LATE_FILE = "",
    parameter bit [95:0] STYLE = "logic",
    parameter int FACTOR = 8,
    parameter int ADDEND = 8,
    parameter int SHIFT = 4,
    parameter longint LOW = 0,
    parameter longint HIGH = 15,
    parameter int LATE = 2,
    parameter int LATE_ROWS = 1
) (
    input logic clk,
    input logic rst,
    input logic enable,
    input logic [LANES*VALUE-1:0] values,
    input logic valid,
    output logic [LANES*OUT_BITS-1:0] results,
    output logic results_valid
);
  localparam int PRODUCT = VALUE + FACTOR;
  localparam int LARGER = PRODUCT > ADDEND ? PRODUCT : ADDEND;
  localparam int SUM = LARGER + 1 > SHIFT + OUT_BITS + 2 ? LARGER + 1 : SHIFT + OUT_BITS + 2;
  localparam int ROW = FACTOR + ADDEND;
  localparam int LEVELS = int'(HIGH - LOW);
  localparam int DEPTH = LATE_ROWS * LEVELS;
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int PASSED = FACTOR + LATE;
  localparam int COMPARED = (PASSED > SHIFT ? PASSED : SHIFT) + 1;
  logic [LANES*ROW-1:0] row;
  flowc_rows #(.WIDTH(LANES * ROW), .ROWS(ROWS), .FILE(FILE), .STYLE(STYLE)) rows (
      .clk, .rst, .step(enable && valid), .row);
  logic [4:0] marks;  // multiplied, added, looked up, scaled, compared
  always_ff @(posedge clk)
    if (rst) marks <= '0;
    else if (enable) marks <= {marks[3:0], valid};
  assign results_valid = marks[4];
  logic [AW-1:0] start;  // of the row's numbers, when its sum is there
  if (LATE_ROWS > 1) begin : g_rows
    always_ff @(posedge clk)
      if (rst) start <= '0;
      else if (enable && marks[1]) start <= start == AW'(DEPTH - LEVELS) ? '0 : start + AW'(LEVELS);
  end else begin : g_row
    assign start = '0;
  end
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    wire signed [PRODUCT-1:0] value = PRODUCT'($signed(values[l*VALUE+:VALUE]));
    wire signed [FACTOR-1:0] factor = row[l*ROW+:FACTOR];
    logic signed [PRODUCT-1:0] product;
    logic signed [ADDEND-1:0] addend;
    logic signed [SUM-1:0] sum;
    logic [FACTOR-1:0] pace[3];  // magnitude of the factor
    logic signed [SUM-SHIFT-1:0] level;
    assign level = sum[SUM-1:SHIFT];
    wire below = 64'(level) <= LOW;
    wire above = 64'(level) > HIGH;
    logic [SHIFT:0] rest;
    if (SHIFT > 0) begin : g_rest
      assign rest = {1'b0, sum[SHIFT-1:0]};
    end else begin : g_no_rest
      assign rest = '0;
    end
    wire [63:0] entry = 64'(level) - LOW - 64'd1 + 64'(start);
    wire unused = &{1'b0, entry};
    logic [OUT_BITS-1:0] found[2], result;
    logic hit[2];
    logic [SHIFT:0] over[2];
    logic [LATE-1:0] late;
    logic [PASSED-1:0] passed;
    flowc_rom #(
        .WIDTH(LATE), .DEPTH(DEPTH),
        .FILE({LATE_FILE, 8'(48 + l / 100), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".hex"}), .STYLE(STYLE)
    ) memory (.clk, .read(enable), .read_at(below || above ? start : entry[AW-1:0]), .out_data(late));
    always_ff @(posedge clk)
      if (enable) begin
        product <= value * PRODUCT'(factor);
        addend <= row[l*ROW+FACTOR+:ADDEND];
        pace[0] <= factor < 0 ? -factor : factor;
        sum <= SUM'(product) + SUM'(addend);
        pace[1] <= pace[0];
        found[0] <= below ? OUT_BITS'(LOW) : above ? OUT_BITS'(HIGH) : level[OUT_BITS-1:0];
        hit[0] <= !below && !above;
        over[0] <= rest;
        pace[2] <= pace[1];
        passed <= PASSED'(late) * PASSED'(pace[2]);
        found[1] <= found[0];
        hit[1] <= hit[0];
        over[1] <= over[0];
        result <= found[1] - OUT_BITS'(hit[1] && COMPARED'(over[1]) < COMPARED'(passed));
      end
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
