// Counts COUNT places; `hit` at FIRST, FIRST + STEP, ..., PIXELS of them.
module flowc_grid #(
    parameter int COUNT = 6,
    parameter int FIRST = 1,
    parameter int PIXELS = 4,
    parameter int STEP = 1
) (
    input logic clk,
    input logic rst,
    input logic step,
    output logic hit,
    output logic last
);
  localparam int BITS = COUNT > 1 ? $clog2(COUNT) : 1;
  localparam int AFTER = FIRST + (PIXELS - 1) * STEP + 1;
  logic [BITS-1:0] place;
  flowc_count #(.COUNT(COUNT)) places (.clk, .rst, .step, .value(place), .last);
  wire between = (FIRST == 0 || 32'(place) >= FIRST) && (AFTER >= COUNT || 32'(place) < AFTER);
  if (STEP > 1) begin : g_spread
    logic [$clog2(STEP)-1:0] phase;
    logic last_phase;
    flowc_count #(.COUNT(STEP)) phases (.clk, .rst(rst || (step && last)), .step(step && between), .value(phase), .last(last_phase));
    assign hit = between && phase == '0;
    wire unused = &{1'b0, last_phase};
  end else begin : g_dense
    assign hit = between;
  end
endmodule
