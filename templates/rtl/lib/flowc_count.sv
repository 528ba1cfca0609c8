// Counts 0, 1, ..., COUNT - 1, 0, ...; one further in every cycle with `step`.
module flowc_count #(
    parameter int COUNT = 2,
    localparam int BITS = COUNT > 1 ? $clog2(COUNT) : 1
) (
    input logic clk,
    input logic rst,
    input logic step,
    output logic [BITS-1:0] value,
    output logic last
);
  if (COUNT > 1) begin : g_many
    assign last = value == BITS'(COUNT - 1);
    always_ff @(posedge clk)
      if (rst) value <= '0;
      else if (step) value <= last ? '0 : value + 1'b1;
  end else begin : g_one
    assign value = '0;
    assign last = 1'b1;
    wire unused = &{1'b0, clk, rst, step};
  end
endmodule
