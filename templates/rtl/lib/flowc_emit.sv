// The end of a unit: DELAY registers and two places between its pipeline and its stream.
//
// `enable` moves the whole pipeline of the unit. It depends on registers only, so that no `ready` is a path through several
// units: the pipeline stands still while a beat at its end finds both places taken. With a DELAY of 0, `valid` must come
// from a register.
module flowc_emit #(
    parameter int WIDTH = 8,
    parameter int DELAY = 1
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] data,
    input logic valid,
    output logic enable,
    output logic [WIDTH-1:0] out_data,
    output logic out_valid,
    input logic out_ready
);
  logic [WIDTH-1:0] tail;
  logic tail_valid;
  if (DELAY == 0) begin : g_direct
    assign tail = data;
    assign tail_valid = valid;
  end else begin : g_delayed
    logic [WIDTH-1:0] held[DELAY];
    logic [DELAY-1:0] marks;
    always_ff @(posedge clk)
      if (enable) begin
        held[0] <= data;
        for (int i = 1; i < DELAY; i++) held[i] <= held[i-1];
      end
    always_ff @(posedge clk)
      if (rst) marks <= '0;
      else if (enable) marks <= DELAY'({marks, valid});
    assign tail = held[DELAY-1];
    assign tail_valid = marks[DELAY-1];
  end

  logic [WIDTH-1:0] spare;
  logic spare_full;
  wire load = !out_valid || out_ready;
  assign enable = !(spare_full && tail_valid);
  always_ff @(posedge clk) begin
    if (!spare_full) spare <= tail;
    if (load) out_data <= spare_full ? spare : tail;
  end
  always_ff @(posedge clk)
    if (rst) begin
      out_valid <= 1'b0;
      spare_full <= 1'b0;
    end else if (load) begin
      out_valid <= spare_full || tail_valid;
      spare_full <= 1'b0;
    end else if (!spare_full) begin
      spare_full <= tail_valid;
    end
endmodule
