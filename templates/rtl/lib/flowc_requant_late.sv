// As flowc_requant, for lines that enter some levels a few integers too early: the level counts only once so many integers, as the
// memory of the lane says, have passed since it was entered. 8 cycles.
//
// A lane's memory holds [LATE_ROWS][HIGH - LOW] numbers of LATE bits, in a file of its own: LATE_FILE, the lane's number in four
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
  localparam int MOST_LOGIC = 8192;  // bits of a memory in look-up tables
  logic [LANES*ROW-1:0] row;
  flowc_rows #(.WIDTH(LANES * ROW), .ROWS(ROWS), .FILE(FILE), .STYLE(STYLE)) rows (
      .clk, .rst, .step(enable && valid), .row);
  // Multiplied, held, added, addressed, looked up, held, multiplied, compared
  logic [7:0] marks;
  always_ff @(posedge clk)
    if (rst) marks <= '0;
    else if (enable) marks <= {marks[6:0], valid};
  assign results_valid = marks[7];
  // What leads from a level to its number in the memory, when the sum is there
  localparam logic [AW-1:0] START = AW'(-LOW - 1);
  logic [AW-1:0] start;
  if (LATE_ROWS > 1) begin : g_rows
    always_ff @(posedge clk)
      if (rst) start <= START;
      else if (enable && marks[2]) start <= start == AW'(START + AW'(DEPTH - LEVELS)) ? START : start + AW'(LEVELS);
  end else begin : g_row
    assign start = START;
  end
  for (genvar l = 0; l < LANES; l++) begin : g_lane
    wire signed [VALUE-1:0] value = values[l*VALUE+:VALUE];
    wire signed [FACTOR-1:0] factor = row[l*ROW+:FACTOR];
    logic signed [SUM-1:0] sum;
    flowc_multiply_add #(.VALUE(VALUE), .FACTOR(FACTOR), .ADDEND(ADDEND), .SUM(SUM)) line (
        .clk, .enable, .value, .factor, .addend(row[l*ROW+FACTOR+:ADDEND]), .sum);
    wire signed [SUM-SHIFT-1:0] level = sum[SUM-1:SHIFT];
    wire below = 64'(level) <= LOW;
    wire above = 64'(level) > HIGH;
    logic [SHIFT:0] rest;
    if (SHIFT > 0) begin : g_rest
      assign rest = {1'b0, sum[SHIFT-1:0]};
    end else begin : g_no_rest
      assign rest = '0;
    end
    // Outside of the levels any number is looked up; it does not count.
    logic [AW-1:0] at;
    logic [LATE-1:0] word, late;
    flowc_rom #(
        .WIDTH(LATE), .DEPTH(DEPTH), .STYLE(DEPTH * LATE > MOST_LOGIC ? "block" : "logic"),
        .FILE({LATE_FILE, 8'(48 + l / 1000), 8'(48 + l / 100 % 10), 8'(48 + l / 10 % 10), 8'(48 + l % 10), ".hex"})
    ) memory (.clk, .read(enable), .read_at(at), .out_data(word));
    logic [FACTOR-1:0] pace[6];  // magnitude of the factor
    logic [SHIFT:0] over[4];
    logic [OUT_BITS-1:0] found[4], less, result;
    logic [3:0] hits;
    // The product of a number of few bits: sums, or tools would put it into a DSP slice.
    logic [PASSED-1:0] product, passed;
    always_comb begin
      product = '0;
      for (int i = 0; i < LATE; i++) product += late[i] ? PASSED'(pace[5]) << i : '0;
    end
    wire negative = factor < 0;
    always_ff @(posedge clk)
      if (enable) begin
        pace[0] <= (factor ^ {FACTOR{negative}}) + FACTOR'(negative);
        for (int i = 1; i < 6; i++) pace[i] <= pace[i-1];
        at <= AW'(64'(level)) + start;
        found[0] <= below ? OUT_BITS'(LOW) : above ? OUT_BITS'(HIGH) : level[OUT_BITS-1:0];
        hits <= {hits[2:0], !below && !above};
        over[0] <= rest;
        for (int i = 1; i < 4; i++) begin
          found[i] <= found[i-1];
          over[i] <= over[i-1];
        end
        late <= word;
        passed <= product;
        less <= found[2] - OUT_BITS'(hits[2]);
        result <= COMPARED'(over[3]) < COMPARED'(passed) ? less : found[3];
      end
    wire unused = &{1'b0, hits[3]};
    assign results[l*OUT_BITS+:OUT_BITS] = result;
  end
endmodule
