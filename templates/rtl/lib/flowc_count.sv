// Counts 0, 1, ..., COUNT - 1, 0, ...; one further in every cycle with `step`. `last`, at COUNT - 1, is a register of its own: no
// comparison lies in front of what depends on it.
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
  if (COUNT > 2) begin : g_many
    always_ff @(posedge clk)
      if (rst) begin
        value <= '0;
        last <= 1'b0;
      end else if (step) begin
        value <= last ? '0 : value + 1'b1;
        last <= value == BITS'(COUNT - 2);
      end
  end else if (COUNT == 2) begin : g_two
    assign last = value[0];
    always_ff @(posedge clk)
      if (rst) value <= '0;
      else if (step) value <= ~value;
  end else begin : g_one
    assign value = '0;
    assign last = 1'b1;
    wire unused = &{1'b0, clk, rst, step};
  end
endmodule
