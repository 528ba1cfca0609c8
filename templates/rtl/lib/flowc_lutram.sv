// A memory in look-up tables with a write port, whose word at read_at is there in the same cycle.
//
// A module of its own: what stands around it must not become part of it. Tools may take the register of read_at for one of the memory's,
// and then make it a second time.
module flowc_lutram #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input logic clk,
    input logic write,
    input logic [AW-1:0] write_at,
    input logic [WIDTH-1:0] in_data,
    input logic [AW-1:0] read_at,
    output logic [WIDTH-1:0] out_data
);
  (* ram_style = "distributed" *) logic [WIDTH-1:0] content[DEPTH];
  always_ff @(posedge clk) if (write) content[write_at] <= in_data;
  assign out_data = content[read_at];
endmodule
