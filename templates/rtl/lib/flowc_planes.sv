// Elements, [COUNT][BITS], as planes, [BITS][COUNT]: wires only.
module flowc_planes #(
    parameter int COUNT = 4,
    parameter int BITS = 2
) (
    input logic [COUNT*BITS-1:0] elements,
    output logic [COUNT*BITS-1:0] planes
);
  for (genvar b = 0; b < BITS; b++) begin : g_plane
    for (genvar i = 0; i < COUNT; i++) begin : g_element
      assign planes[b*COUNT+i] = elements[i*BITS+b];
    end
  end
endmodule
