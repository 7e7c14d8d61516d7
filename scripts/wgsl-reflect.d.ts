// The package's types name its main entry; its ESM file, which is the one that loads in Node, goes untyped.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export * from 'wgsl_reflect';
}
