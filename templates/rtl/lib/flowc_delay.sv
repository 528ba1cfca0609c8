// The word of LENGTH steps ago: registers for a few, else a memory. What comes before the first words is undefined.
module flowc_delay #(
    parameter int WIDTH = 8,
    parameter int LENGTH = 4,
    parameter bit [95:0] STYLE = "distributed"
) (
    input logic clk,
    input logic rst,
    input logic step,
    input logic [WIDTH-1:0] in_data,
    output logic [WIDTH-1:0] out_data
);
  if (LENGTH <= 3) begin : g_registers
    logic [WIDTH-1:0] held[LENGTH];
    always_ff @(posedge clk)
      if (step) begin
        held[0] <= in_data;
        for (int i = 1; i < LENGTH; i++) held[i] <= held[i-1];
      end
    assign out_data = held[LENGTH-1];
    wire unused = &{1'b0, rst};
  end else begin : g_memory
    // A ring whose next word is fetched a step ahead; it was written LENGTH - 1 steps before.
    localparam int AW = $clog2(LENGTH);
    logic [AW-1:0] at, next;
    logic last;
    assign next = last ? '0 : at + 1'b1;
    flowc_count #(.COUNT(LENGTH)) places (.clk, .rst, .step, .value(at), .last);
    flowc_ram #(.WIDTH(WIDTH), .DEPTH(LENGTH), .STYLE(STYLE)) memory (
        .clk, .write(step), .write_at(at), .in_data, .read(step), .read_at(next), .out_data);
  end
endmodule
